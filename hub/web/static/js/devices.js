// Device health, as a table: the same that the map shows, for who cannot see it.

import { all } from "./api.js";
import { element } from "./element.js";
import { age, at, language, typeWords, words } from "./words.js";

const ORDER = ["lost", "degraded", "stopped", "ok"];

const body = document.getElementById("device-list");
const empty = document.getElementById("no-devices");
const count = document.getElementById("device-count");

const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });

let devices = [];

// A camera says only which fault it has; whatever else a box says of a device stays as it is.
function detailWords(detail) {
  const fault = `camera.${detail}`;
  const known = typeWords(fault);
  return known === fault ? detail : known;
}

// Only what a device's model names is shown: with its label and unit.
let readings = new Map();

export async function load() {
  const [found, named] = await Promise.all([all("/devices"), all("/readings")]);
  devices = found;
  readings = new Map();
  for (const each of named) {
    const key = `${each.gateway}/${each.device}`;
    readings.set(key, [...(readings.get(key) ?? []), readingWords(each)]);
  }
  return devices;
}

function readingWords({ value, unit, label }) {
  const shown = typeof value === "boolean" ? words(value ? "reading.yes" : "reading.no") : typeof value === "number" ? number.format(value) : value;
  return `${label[language] ?? label.en} ${shown}${unit ? ` ${unit}` : ""}`;
}

function readingsOf(device) {
  const said = readings.get(`${device.gateway}/${device.device}`);
  return said ? element("small", { class: "readings" }, said.join(" · ")) : "";
}

export function draw(belongs) {
  devices.sort((one, other) => ORDER.indexOf(one.status) - ORDER.indexOf(other.status) || one.device.localeCompare(other.device));
  count.textContent = String(devices.length);
  empty.hidden = devices.length > 0;
  body.replaceChildren(
    ...devices.map((device) =>
      element(
        "tr",
        { "data-device": device.device },
        element("th", { scope: "row", class: "name" }, device.device, element("small", { class: "muted" }, device.gateway), readingsOf(device)),
        element("td", { class: "status" }, element("i", { class: `dot ${device.status}` }), words(`status.${device.status}`), device.detail ? element("small", {}, detailWords(device.detail)) : ""),
        element("td", {}, belongs(device)),
        element("td", { class: "seen", title: device.last_seen_at ? at(device.last_seen_at) : "" }, device.last_seen_at ? age(device.last_seen_at) : words("devices.never")),
      ),
    ),
  );
}
