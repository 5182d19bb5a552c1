// Saying what a box is to run. What somebody else wrote meanwhile is shown, and never overwritten unseen.

import { get, getTagged, put } from "./api.js";
import { element } from "./element.js";
import { field, trouble } from "./forms.js";
import { problemWords, words } from "./words.js";

const dialog = document.getElementById("editor");

// `tag` names the version that the text follows; `done` is awaited once it is published, `closed` called in any case.
export function edit({ gateway, content, release, reason, tag, done, closed }) {
  let follows = tag;
  const text = element("textarea", { id: "config-content", name: "content", rows: 16, spellcheck: "false", autocapitalize: "off", wrap: "off", "aria-describedby": "config-content-hint" });
  text.value = content;
  const wanted = element("input", { id: "config-release", name: "release", maxlength: 64, autocomplete: "off", value: release });
  const why = element("input", { id: "config-reason", name: "reason", maxlength: 200, required: true, autocomplete: "off", value: reason });
  const problem = trouble("lines");
  const newest = element("section", { class: "newest", hidden: true });
  const submit = element("button", { type: "submit", class: "primary" }, words("configs.publish"));
  const showNewest = async () => {
    const { found, tag: theirs } = await getTagged(`/configs/${gateway}`);
    const { version, author, reason: because, content: their } = found.desired;
    newest.replaceChildren(element("h3", {}, words("configs.newest_is", { n: version, author, reason: because })), element("pre", { tabindex: "0" }, their));
    newest.hidden = false;
    follows = theirs;
    submit.textContent = words("configs.overwrite");
  };
  const send = async (submitted) => {
    submitted.preventDefault();
    problem.hide();
    if (!why.value.trim()) {
      problem.say(words("configs.reason_needed"));
      why.focus();
      return;
    }
    submit.disabled = true;
    try {
      await put(`/configs/${gateway}`, { content: text.value, release: wanted.value.trim(), reason: why.value.trim() }, follows);
      dialog.close();
      await done();
    } catch (refused) {
      problem.say(refused.status === 412 ? words("configs.start_over") : problemWords(refused));
      if (refused.status === 412) await showNewest().catch((error) => problem.say(problemWords(error)));
    } finally {
      submit.disabled = false;
    }
  };
  dialog.replaceChildren(
    element("div", { class: "detail-head" }, element("h2", { id: "editor-title" }, words("configs.edit_of", { gateway })), element("button", { type: "button", class: "quiet", "aria-label": words("configs.close"), onclick: () => dialog.close() }, "✕")),
    element(
      "form",
      { class: "fields", novalidate: true, onsubmit: send },
      field(words("configs.content"), text, words("configs.content_hint")),
      field(words("configs.release_field"), wanted),
      field(words("configs.reason_field"), why),
      problem.shown,
      newest,
      element("div", { class: "buttons" }, submit, element("button", { type: "button", class: "secondary", onclick: () => dialog.close() }, words("configs.give_up"))),
    ),
  );
  dialog.addEventListener("close", closed, { once: true });
  dialog.showModal();
  text.focus();
  text.setSelectionRange(0, 0);
}

// What to begin with: the version that is desired, or an older one to roll back to.
export async function draft(gateway, version = null) {
  const { found, tag } = await getTagged(`/configs/${gateway}`);
  const from = version === null ? found.desired : await get(`/configs/${gateway}/versions/${version}`);
  return { gateway, tag, content: from?.content ?? "", release: from?.release ?? "", reason: version === null ? "" : words("configs.roll_back_reason", { n: version }) };
}
