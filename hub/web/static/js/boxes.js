// Every box that may or might connect, by what it does so, and the end of that.

import { hubNow, remove } from "./api.js";
import { ask } from "./asking.js";
import { element } from "./element.js";
import { shortSerial } from "./order_dialog.js";
import { age, at, day, words } from "./words.js";

const ORDER = ["online", "offline", "revoked"];

const list = document.getElementById("box-list");
const empty = document.getElementById("no-boxes");

let act = async () => {};
let replace = () => {};

// `run` does what is asked and reads anew, or says why not; `again` begins a work order that replaces a box.
export function use(run, again) {
  act = run;
  replace = again;
}

function stateOf(certificate) {
  if (certificate.ended_why) return certificate.ended_why;
  if (Date.parse(certificate.not_after) <= hubNow()) return "over";
  return certificate.confirmed_at ? "standing" : "untried";
}

function isGood(certificate) {
  return ["standing", "untried"].includes(stateOf(certificate));
}

export function draw(gateways, certificates) {
  const opened = new Set([...list.querySelectorAll("details[open]")].map((each) => each.dataset.gateway));
  const focused = document.activeElement?.dataset?.key;
  empty.hidden = gateways.length > 0;
  gateways.sort((one, other) => ORDER.indexOf(one.status) - ORDER.indexOf(other.status) || one.gateway.localeCompare(other.gateway));
  list.replaceChildren(...gateways.map((gateway) => box(gateway, certificates.filter((each) => each.gateway === gateway.gateway), opened)));
  if (focused) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function box(gateway, certificates, opened) {
  const good = certificates.find(isGood);
  const by = gateway.status === "revoked" ? words("gateway_state.revoked") : good ? words("enrolments.by_certificate", { date: day(good.not_after) }) : certificates.length ? words("enrolments.no_certificate") : words("enrolments.by_password");
  const name = gateway.gateway;
  return element(
    "li",
    { class: `entry ${gateway.status}`, "data-box": name, "data-status": gateway.status },
    element("div", { class: "entry-head" }, element("h3", {}, element("i", { class: `dot ${gateway.status}` }), name), element("span", { class: "muted", title: gateway.last_seen_at ? at(gateway.last_seen_at) : null }, `${words(`gateway_state.${gateway.status}`)} · ${gateway.last_seen_at ? words("enrolments.heard", { t: age(gateway.last_seen_at) }) : words("enrolments.never")}`)),
    gateway.status === "revoked" ? "" : element("p", { class: "by" }, by),
    certificates.length ? history(name, certificates, opened.has(name)) : "",
    element(
      "div",
      { class: "buttons small" },
      gateway.status === "revoked" ? "" : element("a", { class: "quiet", href: `/configs#${name}` }, words("enrolments.configuration")),
      element("button", { type: "button", class: "quiet", "data-key": `replace ${name}`, onclick: () => replace(gateway) }, gateway.status === "revoked" ? words("enrolments.new") : words("enrolments.replace_box")),
      gateway.status === "revoked" ? "" : element("button", { type: "button", class: "quiet bad", "data-key": `revoke ${name}`, onclick: () => revokeBox(name) }, words("enrolments.revoke_box")),
    ),
  );
}

function history(gateway, certificates, open) {
  return element(
    "details",
    { "data-gateway": gateway, open },
    element("summary", {}, words("enrolments.certificates", { n: certificates.length })),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ["serial", "issued_at", "until", "standing"].map((name) => element("th", { scope: "col" }, words(`enrolments.${name}`))), element("td", {}))),
      element("tbody", {}, certificates.map(line)),
    ),
  );
}

function line(certificate) {
  const state = stateOf(certificate);
  return element(
    "tr",
    { "data-serial": certificate.serial, "data-state": state },
    element("th", { scope: "row", class: "code", title: certificate.serial }, shortSerial(certificate.serial)),
    element("td", {}, day(certificate.issued_at)),
    element("td", {}, day(certificate.not_after)),
    element("td", { class: `standing ${state}` }, words(`certificate_state.${state}`)),
    element("td", {}, isGood(certificate) ? element("button", { type: "button", class: "quiet bad", "data-key": certificate.serial, onclick: () => revokeCertificate(certificate) }, words("enrolments.revoke")) : ""),
  );
}

async function revokeBox(gateway) {
  if (await ask(words("enrolments.revoke_ask", { gateway }), words("enrolments.revoke_why"), words("enrolments.revoke_box"))) {
    await act(() => remove(`/gateways/${gateway}`));
  }
}

async function revokeCertificate({ serial, gateway }) {
  const question = words("enrolments.revoke_certificate_ask", { serial: shortSerial(serial) });
  if (await ask(question, words("enrolments.revoke_certificate_why", { gateway }), words("enrolments.revoke"))) {
    await act(() => remove(`/certificates/${serial}`));
  }
}
