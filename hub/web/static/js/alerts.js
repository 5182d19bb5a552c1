// The queue of alerts: the gravest first, then the newest.

import { all } from "./api.js";
import { element } from "./element.js";
import { age, at, typeWords, words } from "./words.js";

const GRAVITY = ["critical", "major", "minor", "info"];
const OPEN = new Set(["raised", "acknowledged", "verified", "dispatched"]);

const list = document.getElementById("alert-list");
const empty = document.getElementById("no-alerts");
const count = document.getElementById("alert-count");
const filter = document.getElementById("filter");

let alerts = [];
let seen = null;
let open = () => {};
let name = () => null;
let chosen = null;

// `act` opens an alert by its id; `called` gives the name of a subject, grid or officer by kind and id.
export function use(act, called) {
  open = act;
  name = called;
}

export async function load() {
  alerts = await all("/alerts", {}, 1000);
  draw();
  return alerts.filter((alert) => OPEN.has(alert.state));
}

export function choose(id) {
  chosen = id;
  for (const card of list.querySelectorAll(".card")) {
    card.setAttribute("aria-current", String(card.dataset.id === id));
  }
}

export function draw() {
  const { severity, state } = Object.fromEntries(new FormData(filter));
  const shown = alerts
    .filter((alert) => !severity || alert.severity === severity)
    .filter((alert) => (state === "open" ? OPEN.has(alert.state) : !state || alert.state === state))
    .sort((one, other) => GRAVITY.indexOf(one.severity) - GRAVITY.indexOf(other.severity) || Date.parse(other.at) - Date.parse(one.at));
  count.textContent = String(alerts.filter((alert) => OPEN.has(alert.state)).length);
  empty.hidden = shown.length > 0;
  const focused = document.activeElement?.dataset?.id;
  list.replaceChildren(...shown.map((alert) => element("li", {}, card(alert))));
  if (focused) list.querySelector(`[data-id="${focused}"]`)?.focus();
  seen = new Set(alerts.map((alert) => alert.id));
}

function card(alert) {
  const fresh = seen !== null && !seen.has(alert.id);
  const where = [name("subject", alert.subject) ?? name("officer", alert.officer) ?? words("alerts.no_subject"), name("grid", alert.grid)].filter(Boolean).join(" · ");
  const note = alert.times_seen > 1 ? words("alerts.times", { n: alert.times_seen }) : "";
  return element(
    "button",
    {
      type: "button",
      class: `card ${alert.severity}${fresh ? " fresh" : ""}`,
      "data-id": alert.id,
      "data-type": alert.type,
      "aria-current": String(alert.id === chosen),
      onclick: () => open(alert.id),
    },
    element("span", { class: "what" }, typeWords(alert.type)),
    element("time", { class: "when", datetime: alert.at, title: at(alert.at) }, age(alert.at)),
    element("span", { class: "where" }, where),
    element("span", { class: "note" }, note),
    element("span", {}, element("span", { class: `badge ${alert.severity}` }, words(`severity.${alert.severity}`)), " ",
      element("span", { class: "badge state" }, words(`state.${alert.state}`))),
    element("span", { class: "note" }, alert.device),
  );
}

filter.addEventListener("change", draw);
