// The list of work orders, newest first; what is under way counts down by the hub's clock.

import { hubNow } from "./api.js";
import { element } from "./element.js";
import { age, at, words } from "./words.js";

const list = document.getElementById("order-list");
const empty = document.getElementById("no-orders");

export const VALID_S = 15 * 60;
const UNDER_WAY = new Set(["open", "waiting"]);

// How far an order has come: the hub tells nobody when its time is over.
export function stateOf(order) {
  return UNDER_WAY.has(order.state) && secondsLeft(order) <= 0 ? "expired" : order.state;
}

export function isUnderWay(order) {
  return UNDER_WAY.has(stateOf(order));
}

export function secondsLeft(order) {
  return Math.min(VALID_S, Math.max(0, Math.ceil((Date.parse(order.expires_at) - hubNow()) / 1000)));
}

export function leftWords(order) {
  const seconds = secondsLeft(order);
  if (!seconds) return words("enrolments.over");
  return words("enrolments.left", { t: `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` });
}

export function badgeOf(order) {
  const state = stateOf(order);
  return element("span", { class: `badge order-${state}` }, words(`order_state.${state}`));
}

// `open` opens an order by its id; `subject` names one by its id.
export function draw(orders, open, subject) {
  empty.hidden = orders.length > 0;
  const focused = document.activeElement?.dataset?.order;
  list.replaceChildren(...orders.map((order) => element("li", {}, card(order, open, subject))));
  if (focused) list.querySelector(`[data-order="${focused}"]`)?.focus();
}

function card(order, open, subject) {
  const about = [subject(order.subject), order.note].filter(Boolean).join(" · ");
  return element(
    "button",
    { type: "button", class: `card order ${stateOf(order)}`, "data-order": order.id, "data-gateway": order.gateway, "data-state": stateOf(order), onclick: () => open(order.id) },
    element("span", { class: "what" }, order.gateway),
    badgeOf(order),
    element("span", { class: "where" }, about),
    element("span", { class: "note", title: at(order.created_at) }, isUnderWay(order) ? element("b", { class: "left" }, leftWords(order)) : age(order.created_at)),
  );
}

// The seconds that are left, without drawing the cards anew; true when some order's time is over now.
export function tick(orders) {
  let over = false;
  for (const order of orders) {
    const button = list.querySelector(`[data-order="${order.id}"]`);
    const left = button?.querySelector(".left");
    if (left) left.textContent = leftWords(order);
    over ||= button !== null && button.dataset.state !== stateOf(order);
  }
  return over;
}
