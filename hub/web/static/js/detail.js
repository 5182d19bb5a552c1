// One alert: what was seen, whom it concerns, what people did about it, and what may be done next.

import { get, picture, post } from "./api.js";
import { element } from "./element.js";
import { at, typeWords, words } from "./words.js";

const NEXT = {
  raised: ["acknowledge", "verify", "reject"],
  acknowledged: ["verify", "reject"],
  verified: ["dispatch", "close"],
  dispatched: ["close"],
};
const NEEDS_REASON = new Set(["reject", "close"]);

const dialog = document.getElementById("detail");
let shown = null;
let after = () => {};

export function onChange(act) {
  after = act;
}

export async function open(id, lookAt, name) {
  const alert = await get(`/alerts/${id}`);
  const same = shown === id && dialog.open;
  const written = same ? dialog.querySelector("textarea")?.value : "";
  shown = id;
  dialog.replaceChildren(head(alert), element("div", { class: "detail-body" }, pictures(alert), facts(alert, lookAt, name), history(alert), doing(alert, written)));
  if (!same) {
    dialog.show();
    dialog.querySelector("button").focus();
  }
}

export function current() {
  return dialog.open ? shown : null;
}

function close() {
  dialog.close();
  after(null);
}

function head(alert) {
  return element(
    "div",
    { class: "detail-head" },
    element("span", { class: `badge ${alert.severity}` }, words(`severity.${alert.severity}`)),
    element("h2", { id: "detail-title" }, typeWords(alert.type)),
    element("span", { class: "badge state" }, words(`state.${alert.state}`)),
    element("button", { type: "button", class: "quiet", "aria-label": words("detail.close"), onclick: close }, "✕"),
  );
}

// The picture of when it began is the evidence; later ones, small, show how it went on.
function pictures(alert) {
  const [first, ...later] = (alert.images ?? []).map((sha256) => element("img", { src: picture(sha256), alt: words("detail.picture"), width: 640, height: 360 }));
  return first ? [first, later.length ? element("div", { class: "later" }, later.slice(-4)) : ""] : "";
}

function facts(alert, lookAt, name) {
  const rows = [
    ["measure", alert.measure],
    ["subject", name("subject", alert.subject) ?? words("alerts.no_subject")],
    ["grid", name("grid", alert.grid)],
    ["officer", name("officer", alert.officer)],
    ["device", `${alert.device} @ ${alert.gateway}`],
    ["raised", at(alert.at)],
    ["seen", `${at(alert.last_seen_at)} · ${words(alert.ended_at ? "alerts.gone" : "alerts.lasting")}`],
    ["times", alert.times_seen],
  ];
  return [
    element("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => [element("dt", {}, words(`detail.${name}`)), element("dd", {}, String(value))])),
    lookAt ? element("button", { type: "button", class: "quiet on-map", onclick: lookAt }, words("detail.show_on_map")) : "",
  ];
}

function history(alert) {
  return [
    element("h3", {}, words("detail.acts")),
    element("ol", { class: "acts" }, (alert.acts ?? []).map((act) => element("li", {}, element("time", { datetime: act.at }, at(act.at)), `${words(`act.${act.act}`)} · ${act.actor}${act.reason ? `：${act.reason}` : ""}`))),
  ];
}

function doing(alert, written) {
  const acts = NEXT[alert.state] ?? [];
  if (!acts.length) return "";
  const reason = element("textarea", { id: "reason", maxlength: 1000 });
  reason.value = written ?? "";
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const act = async (name) => {
    if (NEEDS_REASON.has(name) && !reason.value.trim()) {
      problem.textContent = words("detail.reason_needed");
      problem.hidden = false;
      reason.focus();
      return;
    }
    try {
      await post(`/alerts/${alert.id}/${name}`, { reason: reason.value.trim() });
      reason.value = "";
      await after(alert.id);
    } catch (refused) {
      problem.textContent = refused.message;
      problem.hidden = false;
    }
  };
  const unreviewed = alert.type.startsWith("camera.") && ["raised", "acknowledged"].includes(alert.state);
  return element(
    "div",
    { class: "do" },
    unreviewed ? element("p", { class: "law" }, words("detail.raw")) : "",
    element("label", { for: "reason", class: "muted" }, words("detail.reason")),
    reason,
    problem,
    element("div", {}, acts.map((name, index) => element("button", { type: "button", class: index ? "secondary" : "primary", "data-act": name, onclick: () => act(name) }, words(`act.${name}`)))),
  );
}

dialog.addEventListener("keydown", (pressed) => pressed.key === "Escape" && close());
