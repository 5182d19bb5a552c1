// Pieces of forms: a field with its title and hint, and a place that says what is wrong.

import { element } from "./element.js";

export function field(title, input, hint = null) {
  return element("div", { class: "field" }, element("label", { for: input.id }, title), input, hint ? element("small", { id: `${input.id}-hint` }, hint) : "");
}

// `shown` is put into the form; `say` shows a text in it, `hide` takes it away.
export function trouble(kind = "") {
  const shown = element("p", { class: `problem ${kind}`.trim(), role: "alert", hidden: true });
  return {
    shown,
    say: (text) => {
      shown.textContent = text;
      shown.hidden = false;
    },
    hide: () => {
      shown.hidden = true;
    },
  };
}
