// The command centre: reads the state once, then follows the live stream and reads again only what changed.

import { all, get } from "./api.js";
import * as alerts from "./alerts.js";
import * as detail from "./detail.js";
import * as devices from "./devices.js";
import { element } from "./element.js";
import { gathered, live } from "./frame.js";
import * as map from "./map.js";
import { words } from "./words.js";

const TRAIL_MS = 30 * 60 * 1000;
const REDRAW_MS = 10_000;

const state = { subjects: new Map(), grids: new Map(), officers: new Map(), devices: [], gateways: [], open: [] };

async function loadDistrict() {
  const [grids, subjects, officers] = await Promise.all([get("/grids"), all("/subjects", {}, 25_000), all("/officers")]);
  state.subjects = new Map(subjects.map((subject) => [subject.id, subject]));
  state.officers = new Map(officers.map((officer) => [officer.id, officer]));
  state.grids = new Map(grids.features.map(({ properties }) => [properties.id, properties]));
  map.showGrids(grids);
  map.showSubjects(subjects);
}

function nameOf(kind, id) {
  return state[`${kind}s`].get(id)?.name ?? null;
}

// What an officer carries moves, and so does any GPS unit that has no site.
function moves(device) {
  return device.officer !== null || (device.driver.startsWith("gps") && device.latitude === null);
}

async function loadDevices() {
  const [found, gateways] = await Promise.all([devices.load(), all("/gateways")]);
  state.devices = found.map((device) => ({ ...device, moves: moves(device) }));
  state.gateways = gateways;
  drawDevices();
}

async function loadTrails() {
  const since = new Date(Date.now() - TRAIL_MS).toISOString();
  const until = new Date(Date.now() + TRAIL_MS).toISOString();
  for (const device of state.devices.filter((each) => each.moves)) {
    const track = await get("/positions", { gateway: device.gateway, device: device.device, from: since, to: until });
    for (const { geometry, properties } of track.features) {
      const [longitude, latitude] = geometry.coordinates;
      map.extendTrail({ ...properties, latitude, longitude });
    }
  }
  drawDevices();
}

async function loadAlerts() {
  state.open = await alerts.load();
  const counts = new Map();
  for (const alert of state.open) counts.set(alert.grid, (counts.get(alert.grid) ?? 0) + 1);
  map.showAlertsByGrid(counts);
  drawFigures();
  if (detail.current()) await detail.open(detail.current(), lookAt(detail.current()), nameOf);
}

function belongs(device) {
  return state.subjects.get(device.subject)?.name ?? state.officers.get(device.officer)?.name ?? "—";
}

function placeOf(device) {
  const subject = state.subjects.get(device.subject);
  return (
    map.lastOnTrail(device) ??
    (device.latitude != null ? [device.latitude, device.longitude] : subject?.latitude != null ? [subject.latitude, subject.longitude] : null)
  );
}

function drawDevices() {
  for (const device of state.devices) map.showDevice(device, placeOf(device), belongs(device));
  devices.draw(belongs);
  drawFigures();
}

function drawFigures() {
  const well = state.devices.filter((device) => device.status === "ok").length;
  const away = state.devices.length - well;
  const figures = [
    ["alerts_open", state.open.length, state.open.length ? "bad" : "good"],
    ["devices_ok", well, "good"],
    ["devices_away", away, away ? "bad" : ""],
    ["gateways_online", state.gateways.filter((gateway) => gateway.status === "online").length, ""],
  ];
  document.getElementById("figures").replaceChildren(
    ...figures.map(([name, number, mood]) => element("li", { class: mood }, element("b", {}, String(number)), words(`centre.${name}`))),
  );
}

function placeOfAlert(id) {
  const alert = state.open.find((each) => each.id === id);
  const device = alert && state.devices.find((each) => each.gateway === alert.gateway && each.device === alert.device);
  return device ? placeOf(device) : null;
}

function lookAt(id) {
  return placeOfAlert(id) ? () => map.lookAt(placeOfAlert(id)) : null;
}

async function openAlert(id) {
  alerts.choose(id);
  map.mark(placeOfAlert(id));
  await detail.open(id, lookAt(id), nameOf);
}

const again = {
  alert: gathered(loadAlerts),
  device: gathered(loadDevices),
  everything: gathered(loadEverything),
};

async function loadEverything() {
  await loadDistrict();
  await loadDevices();
  await Promise.all([loadAlerts(), loadTrails()]);
}

function take({ kind, data }) {
  if (kind === "position") {
    const unknown = data.filter((position) => !state.devices.some((device) => device.gateway === position.gateway && device.device === position.device && device.moves));
    for (const position of data) map.extendTrail(position);
    if (unknown.length) again.device();
  } else if (kind === "alert" || kind === "task") {
    again.alert();
  } else if (kind === "device" || kind === "gateway") {
    again.device();
  }
}

function tabs() {
  const buttons = [...document.querySelectorAll("[role=tab]")];
  const choose = (chosen) => {
    for (const button of buttons) {
      button.setAttribute("aria-selected", String(button === chosen));
      button.tabIndex = button === chosen ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).hidden = button !== chosen;
    }
  };
  for (const [index, button] of buttons.entries()) {
    button.addEventListener("click", () => choose(button));
    button.addEventListener("keydown", (pressed) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[pressed.key];
      if (!step) return;
      const next = buttons[(index + step + buttons.length) % buttons.length];
      choose(next);
      next.focus();
    });
  }
}

alerts.use(openAlert, nameOf);
detail.onChange(async (id) => {
  if (id !== null) {
    await loadAlerts();
    return;
  }
  alerts.choose(null);
  map.mark(null);
});
tabs();
setInterval(() => {
  alerts.draw();
  devices.draw(belongs);
}, REDRAW_MS);
await loadEverything();
live(take, again.everything);
// Tests poll this: the page has read everything once, and how much is on the canvas.
window.diwang = { ready: true, drawn: map.drawn };
