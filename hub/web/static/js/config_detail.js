// One box: what it is to run, what it says it runs, in what these differ, and every version there was.

import { draft, edit } from "./config_editor.js";
import { differences } from "./differences.js";
import { element } from "./element.js";
import { age, at, words } from "./words.js";

const article = document.getElementById("config");

// `statuses` are those of the box's devices, by name; `done` is awaited after a change, `failed` told of what is refused.
export function draw(config, versions, statuses, done, failed) {
  const opened = new Set([...article.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  const focused = document.activeElement?.dataset?.key;
  const write = async (version) => {
    try {
      edit({ ...(await draft(config.gateway, version)), done, closed: () => article.querySelector("[data-key=change]")?.focus() });
    } catch (refused) {
      failed(refused);
    }
  };
  article.dataset.gateway = config.gateway;
  article.dataset.standing = config.standing;
  article.replaceChildren(head(config, write), callout(config), sides(config), ...diff(config, statuses), history(config, versions, opened, write), everything(config, opened));
  if (focused) article.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function head({ gateway, standing, desired }, write) {
  return element(
    "div",
    { class: "over" },
    element("h2", {}, gateway),
    element("span", { class: `badge standing-${standing}` }, words(`standing.${standing}`)),
    element("button", { type: "button", class: "primary", "data-key": "change", onclick: () => write(null) }, words(desired ? "configs.change" : "configs.first")),
  );
}

// The reason in the box's own words stands first: it is what somebody has to act on.
function callout({ standing, desired, reported }) {
  const failed = standing === "refused" || standing === "returned";
  const since = failed ? reported.reported_at : desired?.created_at;
  return element(
    "div",
    { class: `callout standing-${standing}`, role: failed ? "alert" : "status" },
    failed ? element("p", { class: "what" }, words(`configs.${standing}_what`, { about: reported.about })) : "",
    (failed || standing === "waiting") && reported.detail ? element("pre", { id: "config-why" }, reported.detail) : "",
    element("p", {}, words(`standing_explain.${standing}`), since && standing !== "in_step" ? element("small", { title: at(since) }, words("configs.since_when", { t: age(since) })) : ""),
  );
}

function sides({ desired, reported }) {
  return element(
    "div",
    { class: "sides" },
    element("section", {}, element("h3", {}, words("configs.desired")), desired ? facts(desiredFacts(desired)) : element("p", { class: "muted" }, words("configs.nothing_desired"))),
    element("section", {}, element("h3", {}, words("configs.reported")), reported ? facts(reportedFacts(reported)) : element("p", { class: "muted" }, words("configs.nothing_reported"))),
  );
}

function desiredFacts({ bundle, release, author, reason, created_at }) {
  return [["bundle", bundle], ["release", release || words("configs.release_as_is")], ["author", author], ["reason", reason], ["at", at(created_at)]];
}

function reportedFacts({ bundle, agent, reported_at }) {
  return [["bundle", bundle || words("configs.own_file")], ["release", agent], ["at", at(reported_at)]];
}

function facts(rows) {
  return element("dl", { class: "facts" }, rows.map(([name, value]) => [element("dt", {}, words(`configs.${name}`)), element("dd", { class: name === "bundle" ? "code" : null }, value)]));
}

function diff({ differences: found }, statuses) {
  if (found === null) return [];
  const title = element("h3", { class: "title" }, words("configs.differences"), element("b", { class: "number" }, String(found.length)));
  return [title, ...(found.length ? differences(found, statuses) : [element("p", { id: "same", class: "good" }, words("configs.same"))])];
}

function history({ desired, reported }, versions, opened, write) {
  if (!versions.length) return "";
  return element("section", { class: "versions" }, element("h3", { class: "title" }, words("configs.history")), element("ol", {}, versions.map((each) => version(each, desired, reported, opened, write))));
}

function version(each, desired, reported, opened, write) {
  const key = `text ${each.version}`;
  const marks = [
    [each.version === desired.version, "desired", "is_desired"],
    [each.bundle === reported?.bundle, "running", "is_running"],
    [each.bundle === reported?.about && reported.outcome === "refused", "refused", "is_refused"],
    [each.bundle === reported?.about && reported.outcome === "returned", "refused", "is_returned"],
  ].filter(([is]) => is);
  return element(
    "li",
    { class: "entry", "data-version": each.version },
    element("div", { class: "entry-head" }, element("h4", {}, words("configs.version", { n: each.version })), marks.map(([, mood, name]) => element("span", { class: `badge mark ${mood}` }, words(`configs.${name}`))), element("span", { class: "muted", title: at(each.created_at) }, `${each.author} · ${age(each.created_at)}`)),
    element("p", {}, each.reason),
    element("details", { "data-key": key, open: opened.has(key) }, element("summary", { "data-key": `summary ${key}` }, words("configs.text")), element("pre", { tabindex: "0" }, each.content)),
    each.version === desired.version ? "" : element("div", { class: "buttons small" }, element("button", { type: "button", class: "quiet", "data-key": `back ${each.version}`, onclick: () => write(each.version) }, words("configs.roll_back"))),
  );
}

function everything({ reported }, opened) {
  if (!reported) return "";
  return element("details", { class: "everything", "data-key": "everything", open: opened.has("everything") }, element("summary", {}, words("configs.everything")), element("pre", { tabindex: "0" }, JSON.stringify(reported.config, null, 2)));
}
