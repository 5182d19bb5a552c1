// One work order: its form, then its ticket that is shown once, the digits of both sides, and what became of it.

import { post, remove } from "./api.js";
import { ask } from "./asking.js";
import { element } from "./element.js";
import { trouble } from "./forms.js";
import { orderForm } from "./order_form.js";
import { VALID_S, badgeOf, isUnderWay, leftWords, secondsLeft, stateOf } from "./orders.js";
import { at, problemWords, words } from "./words.js";

const STEPS = { open: 0, waiting: 1, issued: 3 };

const dialog = document.getElementById("order");

let order = null;
let ticket = null; // the code, as long as this dialog shows it
let drawn = null;
let changed = async () => {};
let subjectNamed = () => null;

// `act` is awaited after each change; `subject` names one by its id.
export function use(act, subject) {
  changed = act;
  subjectNamed = subject;
}

export function begin(asked = {}) {
  [order, ticket, drawn] = [null, null, "form"];
  const form = orderForm({ ...asked, made, back: () => dialog.close() });
  dialog.replaceChildren(head(words("enrolments.new")), form);
  show(asked.gateway ? form.querySelector("[type=submit]") : form.querySelector("input"));
}

export function open(wanted) {
  [order, ticket, drawn] = [wanted, null, null];
  update(wanted);
  show(dialog.querySelector("[data-first], button"));
}

export function current() {
  return dialog.open ? (order?.id ?? null) : null;
}

// The order as the hub has it now; what somebody is typing stays while its state does.
export function update(now) {
  order = now;
  const state = stateOf(order);
  if (drawn === state) return;
  drawn = state;
  if (state !== "open") ticket = null;
  dialog.replaceChildren(head(words("enrolments.order_of", { gateway: order.gateway }), badgeOf(order)), element("div", { class: "sheet-body" }, track(state), ...body(state), facts()));
  dialog.querySelector("[data-first]")?.focus();
}

export function tick() {
  if (!dialog.open || !order) return;
  if (isUnderWay(order)) {
    for (const left of dialog.querySelectorAll(".left")) left.textContent = leftWords(order);
    const bar = dialog.querySelector("progress");
    if (bar) bar.value = secondsLeft(order);
  }
  update(order);
}

function show(first) {
  if (!dialog.open) dialog.showModal();
  first?.focus();
}

async function made(created) {
  ticket = created;
  drawn = null;
  update({ ...created, state: "open", created_at: null, used_at: null, check: null, serial: null });
  await changed();
}

function head(title, badge = "") {
  return element("div", { class: "detail-head" }, element("h2", { id: "order-title" }, title), badge, element("button", { type: "button", class: "quiet", "aria-label": words("enrolments.close"), onclick: leave }, "✕"));
}

async function leave() {
  if (ticket && isUnderWay(order) && !(await ask(words("enrolments.close_ask"), words("enrolments.close_why"), words("enrolments.close_do")))) return;
  dialog.close();
}

// Where the order is: who uses the code, who compares, who is done.
function track(state) {
  if (!(state in STEPS)) return "";
  const steps = ["code", ...(order.confirm ? ["check"] : []), "done"];
  const reached = order.confirm ? STEPS[state] : Math.min(STEPS[state], state === "issued" ? 2 : 0);
  return element(
    "ol",
    { class: "track" },
    steps.map((step, index) => element("li", { class: index < reached ? "done" : "", "aria-current": index === reached ? "step" : null }, words(`enrolments.step_${step}`))),
  );
}

function body(state) {
  if (state === "open") return ticket ? ticketShown() : [countdown(), element("p", { class: "muted" }, words("enrolments.code_gone")), buttons()];
  if (state === "waiting") return [countdown(), ...comparing()];
  if (state === "issued") return [element("p", { class: "good" }, words("enrolments.issued", { serial: shortSerial(order.serial) })), element("p", { class: "digits" }, order.check), element("p", { class: "muted" }, words("enrolments.issued_check", { check: order.check }))];
  const said = { expired: "expired", refused: "refused_said", cancelled: "cancelled" }[state];
  return [element("p", { class: "problem" }, words(`enrolments.${said}`)), element("div", { class: "buttons" }, element("button", { type: "button", class: "primary", "data-first": true, onclick: again }, words("enrolments.again")))];
}

function again() {
  const name = subjectNamed(order.subject);
  begin({ gateway: order.gateway, replace: order.replace, subject: name ? { id: order.subject, name } : null });
}

function countdown() {
  return element("div", { class: "countdown" }, element("b", { class: "left", role: "timer" }, leftWords(order)), element("progress", { max: VALID_S, value: secondsLeft(order), "aria-hidden": "true" }));
}

function ticketShown() {
  const [address, fingerprint] = ticket.ticket.split("#");
  const copied = element("span", { role: "status", class: "muted" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(ticket.ticket);
      copied.textContent = words("enrolments.copied");
    } catch {
      copied.textContent = words("enrolments.copy_failed");
    }
  };
  return [
    countdown(),
    element("p", { class: "law" }, words("enrolments.once")),
    element(
      "div",
      { class: "ticket" },
      element("figure", {}, element("img", { id: "order-qr", src: ticket.qr_png, alt: words("enrolments.scan") }), element("figcaption", {}, words("enrolments.scan"))),
      element(
        "dl",
        {},
        element("dt", {}, words("enrolments.code")),
        element("dd", { id: "order-code", class: "code large" }, ticket.code),
        element("dt", {}, words("enrolments.fingerprint")),
        element("dd", { id: "order-fingerprint", class: "code" }, fingerprint.match(/.{1,4}/g).join(" ")),
        element("dt", {}, words("enrolments.door")),
        element("dd", { class: "code" }, address.slice(address.indexOf(":") + 1, address.lastIndexOf("/e/"))),
      ),
    ),
    buttons(element("button", { type: "button", class: "secondary", "data-first": true, onclick: copy }, words("enrolments.copy")), copied),
  ];
}

function comparing() {
  const typed = element("input", { id: "order-check", name: "check", inputmode: "numeric", autocomplete: "off", maxlength: 7, "data-first": true });
  const problem = trouble();
  const confirm = async (submitted) => {
    submitted.preventDefault();
    const check = typed.value.replace(/\s/g, "");
    if (!/^[0-9]{6}$/.test(check)) {
      problem.say(words("enrolments.digits_wrong"));
      typed.focus();
      return;
    }
    await act(() => post(`/enrolments/${order.id}/confirm`, { check }), problem);
  };
  return [
    element("p", {}, words("enrolments.compare")),
    element("p", { class: "digits" }, order.check),
    element(
      "form",
      { class: "fields", novalidate: true, onsubmit: confirm },
      element("div", { class: "field" }, element("label", { for: "order-check" }, words("enrolments.typed")), typed),
      problem.shown,
      element("div", { class: "buttons" }, element("button", { type: "submit", class: "primary" }, words("enrolments.confirm_do")), element("button", { type: "button", class: "danger", onclick: () => act(() => post(`/enrolments/${order.id}/refuse`, {}), problem) }, words("enrolments.refuse"))),
    ),
  ];
}

function buttons(...more) {
  const problem = trouble();
  const cancel = () => act(() => remove(`/enrolments/${order.id}`), problem);
  return [problem.shown, element("div", { class: "buttons" }, more, element("button", { type: "button", class: "danger", onclick: cancel }, words("enrolments.cancel")))];
}

async function act(what, problem) {
  try {
    await what();
  } catch (refused) {
    problem.say(problemWords(refused));
  }
  await changed();
}

function facts() {
  const rows = [
    ["subject", subjectNamed(order.subject), "detail"],
    ["note", order.note],
    ["replaces", order.replace ? words("reading.yes") : null],
    ["made", order.created_at && at(order.created_at)],
    ["used", order.used_at && at(order.used_at)],
  ].filter(([, value]) => value);
  return rows.length ? element("dl", { class: "facts" }, rows.map(([name, value]) => [element("dt", {}, factWords(name)), element("dd", {}, value)])) : "";
}

function factWords(name) {
  if (name === "subject") return words("detail.subject");
  return name === "note" ? words("detail.reason") : words(`enrolments.${name}`);
}

export function shortSerial(serial) {
  return serial ? `…${serial.slice(-12)}` : "";
}

dialog.addEventListener("cancel", (pressed) => {
  pressed.preventDefault();
  leave();
});
// The card that it was opened from may have been drawn anew meanwhile.
dialog.addEventListener("close", () => {
  ticket = null;
  (document.querySelector(`[data-order="${order?.id}"]`) ?? document.getElementById("new-order")).focus();
});
