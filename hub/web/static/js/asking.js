// A question before what cannot be undone. `ask` answers true or false; Escape says no.

import { element } from "./element.js";
import { words } from "./words.js";

const dialog = document.getElementById("ask");

export function ask(question, why, verb) {
  const no = element("button", { type: "button", class: "secondary", onclick: () => dialog.close("no") }, words("enrolments.give_up"));
  dialog.returnValue = "no";
  dialog.replaceChildren(
    element("h2", { id: "ask-title" }, question),
    element("p", { class: "muted" }, why),
    element("div", { class: "buttons" }, element("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, verb), no),
  );
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
