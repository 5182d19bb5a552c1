// Configurations: which boxes run what they are to run, and one of them in full; live.

import { all, get } from "./api.js";
import * as detail from "./config_detail.js";
import { element } from "./element.js";
import { gathered, live } from "./frame.js";
import { age, at, problemWords, words } from "./words.js";

const VERSIONS_SHOWN = 50;
const REDRAW_MS = 30_000;
const URGENCY = ["refused", "returned", "trying", "waiting", "pending", "unmanaged", "in_step"];

const list = document.getElementById("gateway-list");
const empty = document.getElementById("no-gateways");
const figures = document.getElementById("figures");
const trouble = document.getElementById("trouble");

const state = { configs: [], shown: null };

async function loadList() {
  state.configs = await all("/configs");
  sort();
  if (chosen()) history.replaceState(null, "", `#${chosen()}`); // what is looked at stays when something else happens
  drawList();
}

async function loadShown() {
  const gateway = chosen();
  if (!gateway) return;
  const [config, versions, devices] = await Promise.all([get(`/configs/${gateway}`), get(`/configs/${gateway}/versions`, { limit: VERSIONS_SHOWN }), all("/devices", { gateway })]);
  if (chosen() !== gateway) return; // another was chosen meanwhile
  state.shown = [config, versions.items, new Map(devices.map((device) => [device.device, device.status]))];
  drawShown();
}

function drawShown() {
  if (state.shown) detail.draw(...state.shown, loadEverything, say);
}

// The box that the address names, else the one that needs somebody most.
function chosen() {
  const named = decodeURIComponent(location.hash.slice(1));
  return state.configs.some((each) => each.gateway === named) ? named : (state.configs[0]?.gateway ?? null);
}

function sort() {
  state.configs.sort((one, other) => URGENCY.indexOf(one.standing) - URGENCY.indexOf(other.standing) || one.gateway.localeCompare(other.gateway));
}

function drawList() {
  const focused = document.activeElement?.dataset?.gateway;
  empty.hidden = state.configs.length > 0;
  list.replaceChildren(...state.configs.map((each) => element("li", {}, line(each))));
  if (focused) list.querySelector(`[data-gateway="${focused}"]`)?.focus();
  const counts = ["refused", "returned", "pending", "in_step"].map((standing) => [standing, state.configs.filter((each) => each.standing === standing).length]);
  figures.replaceChildren(...counts.map(([standing, number]) => element("li", { class: mood(standing, number) }, element("b", {}, String(number)), words(`standing.${standing}`))));
}

function mood(standing, number) {
  if (standing === "in_step") return "good";
  return number && standing !== "pending" ? "bad" : "";
}

function line({ gateway, standing, version, desired_at, reported_at }) {
  const since = ["refused", "returned"].includes(standing) ? reported_at : (desired_at ?? reported_at);
  return element(
    "a",
    { class: "card", href: `#${gateway}`, "data-gateway": gateway, "data-standing": standing, "aria-current": chosen() === gateway ? "true" : null },
    element("span", { class: "what" }, gateway),
    element("span", { class: `badge standing-${standing}` }, words(`standing.${standing}`)),
    element("span", { class: "where" }, version ? words("configs.version", { n: version }) : ""),
    element("span", { class: "note", title: since ? at(since) : null }, since ? age(since) : ""),
  );
}

function say(refused) {
  trouble.textContent = problemWords(refused);
  trouble.hidden = false;
}

async function loadEverything() {
  try {
    await loadList();
    await loadShown();
    trouble.hidden = true;
  } catch (refused) {
    say(refused);
  }
}

async function choose() {
  drawList();
  await loadShown().catch(say);
  document.getElementById("config").scrollIntoView({ block: "nearest" });
}

const again = gathered(loadEverything);

window.addEventListener("hashchange", choose);
setInterval(() => {
  drawList();
  drawShown();
}, REDRAW_MS);
await loadEverything();
live(({ kind }) => ["config", "gateway", "device"].includes(kind) && again(), again);
document.body.dataset.ready = "true";
