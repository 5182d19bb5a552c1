// In what a box differs from what it is to run, device by device, setting by setting.

import { element } from "./element.js";
import { age, at, words } from "./words.js";

const OF_A_DEVICE = /^devices\.([^.]+)(?:\.(.+))?$/;
const SIGNS = { changed: "≠", added: "+", removed: "−" };

export function differences(found, statuses) {
  const groups = new Map();
  for (const each of found) {
    const [, device = "", key = ""] = OF_A_DEVICE.exec(each.path) ?? [null, "", each.path];
    groups.set(device, [...(groups.get(device) ?? []), { ...each, key: key || device }]);
  }
  return [...groups].map(([device, settings]) => group(device, settings, statuses.get(device)));
}

function group(device, settings, status) {
  const title = device ? [element("i", { class: `dot ${status ?? ""}` }), device, status ? element("small", {}, words(`status.${status}`)) : ""] : words("configs.the_box");
  return element(
    "section",
    { class: "differing", "data-device": device },
    element("h4", {}, title),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ["key", "now", "wanted", "since"].map((name) => element("th", { scope: "col" }, words(`configs.${name}`))))),
      element("tbody", {}, settings.map(setting)),
    ),
  );
}

function setting({ path, key, desired, reported, since }) {
  const kind = desired === null ? "removed" : reported === null ? "added" : "changed";
  return element(
    "tr",
    { class: kind, "data-path": path },
    element("th", { scope: "row", class: "code" }, element("b", { class: "sign", title: words(`configs.${kind}`), "aria-hidden": "true" }, SIGNS[kind]), key, element("span", { class: "spoken" }, words(`configs.${kind}`))),
    element("td", { class: "now", "data-label": words("configs.now") }, value(reported)),
    element("td", { class: "wanted", "data-label": words("configs.wanted") }, value(desired)),
    element("td", { class: "seen", title: at(since), "data-label": words("configs.since") }, age(since)),
  );
}

// As it would stand in TOML, nearly; a table is shown line by line.
function value(of) {
  if (of === null) return element("span", { class: "muted" }, words("configs.missing"));
  if (typeof of !== "object") return element("code", {}, JSON.stringify(of));
  return element("pre", {}, JSON.stringify(of, null, 1).replace(/^ +/gm, (indent) => indent + indent));
}
