// The form of a new work order.

import { get, post } from "./api.js";
import { element } from "./element.js";
import { field, trouble } from "./forms.js";
import { problemWords, words } from "./words.js";

const NAME = /^[a-z0-9_-]{1,64}$/;
const SUBJECTS_SHOWN = 12;

// `made` gets the order as it was created, with its code.
export function orderForm({ gateway = "", replace = false, subject = null, made, back }) {
  const problem = trouble();
  const found = new Map(subject ? [[subject.name, subject.id]] : []);
  const name = element("input", { id: "order-gateway", name: "gateway", required: true, maxlength: 64, autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "order-gateway-hint", value: gateway });
  const place = element("input", { id: "order-subject", name: "subject", list: "order-subjects", maxlength: 200, autocomplete: "off", "aria-describedby": "order-subject-hint", value: subject?.name ?? "" });
  const places = element("datalist", { id: "order-subjects" });
  const note = element("input", { id: "order-note", name: "note", maxlength: 200, autocomplete: "off" });
  const replaces = tick("replace", replace);
  const confirms = tick("confirm", true);
  const submit = element("button", { type: "submit", class: "primary" }, words("enrolments.make"));

  place.addEventListener("input", async () => {
    const typed = place.value.trim();
    if (typed.length < 2 || found.has(typed)) return;
    const { items } = await get("/subjects", { q: typed, limit: SUBJECTS_SHOWN }).catch(() => ({ items: [] }));
    if (place.value.trim() !== typed) return; // a later answer is on its way
    for (const each of items) found.set(label(each), each.id);
    places.replaceChildren(...items.map((each) => element("option", { value: label(each) })));
  });

  const say = (text, where) => {
    problem.say(text);
    where?.focus();
  };
  const send = async (submitted) => {
    submitted.preventDefault();
    problem.hide();
    const chosen = place.value.trim();
    if (!NAME.test(name.value.trim())) return say(words("enrolments.gateway_wrong"), name);
    if (chosen && !found.has(chosen)) return say(words("enrolments.subject_unknown"), place);
    submit.disabled = true;
    try {
      const body = { gateway: name.value.trim(), subject: chosen ? found.get(chosen) : null, note: note.value.trim(), replace: replaces.firstChild.checked, confirm: confirms.firstChild.checked };
      made({ ...body, ...(await post("/enrolments", body)) });
    } catch (refused) {
      say(problemWords(refused), refused.rule === "enrolments.gateway_taken" ? replaces.firstChild : null);
    } finally {
      submit.disabled = false;
    }
  };
  return element(
    "form",
    { class: "fields", novalidate: true, onsubmit: send },
    field(words("enrolments.gateway"), name, words("enrolments.gateway_hint")),
    field(words("enrolments.subject"), place, words("enrolments.subject_hint")),
    places,
    field(words("enrolments.note"), note),
    replaces,
    confirms,
    problem.shown,
    element("div", { class: "buttons" }, submit, element("button", { type: "button", class: "secondary", onclick: back }, words("enrolments.give_up"))),
  );
}

function label(subject) {
  return subject.address ? `${subject.name}（${subject.address}）` : subject.name;
}

function tick(name, on) {
  const box = element("input", { type: "checkbox", name, checked: on });
  return element("label", { class: "tick" }, box, element("span", {}, words(`enrolments.${name}`), element("small", {}, words(`enrolments.${name}_hint`))));
}
