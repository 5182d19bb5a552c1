// The map: grids, subjects, devices and the tracks of what moves, on one canvas and without any tile from outside.

import { age, words } from "./words.js";

const COLOURS = { ok: "#45dba0", degraded: "#ffd75e", lost: "#ff6b6b", stopped: "#9fb2c8", moving: "#58b7ff" };
const TRAIL_POINTS = 400;

const map = L.map("map", { preferCanvas: true, attributionControl: false, zoomSnap: 0.25, zoomControl: false });
L.control.zoom({ position: "topleft" }).addTo(map);
map.setView([24.57, 118.1], 13);
map.createPane("trails").style.zIndex = 410;

const gridLayer = L.geoJSON(null, { style: gridStyle, onEachFeature: nameGrid }).addTo(map);
const subjectLayer = L.layerGroup().addTo(map);
const ring = L.circleMarker([0, 0], { radius: 17, color: "#ffffff", weight: 2, fill: false, dashArray: "4 4", interactive: false });
const deviceMarkers = new Map();
const trails = new Map();
let alertsByGrid = new Map();

function gridStyle(feature) {
  const open = alertsByGrid.get(feature.properties.id) ?? 0;
  return {
    color: open ? "#ffa24d" : "#4d7399",
    weight: open ? 2 : 1.2,
    fillColor: open ? "#ffa24d" : "#2f5b86",
    fillOpacity: open ? Math.min(0.08 + 0.04 * open, 0.24) : 0.14,
  };
}

function nameGrid(feature, layer) {
  layer.bindTooltip(feature.properties.name, { permanent: true, direction: "center", className: "grid-name" });
}

export function showGrids(collection) {
  gridLayer.clearLayers();
  if (!collection.features.length) return;
  gridLayer.addData(collection);
  map.fitBounds(gridLayer.getBounds(), { padding: [24, 24] });
}

export function showAlertsByGrid(counts) {
  alertsByGrid = counts;
  gridLayer.setStyle(gridStyle);
}

export function showSubjects(subjects) {
  subjectLayer.clearLayers();
  for (const subject of subjects.filter((each) => each.latitude !== null)) {
    L.circleMarker([subject.latitude, subject.longitude], { radius: 4, color: "#7890a8", weight: 1.5, fillOpacity: 0.15 })
      .bindTooltip(subject.name)
      .addTo(subjectLayer);
  }
}

function keyOf(device) {
  return `${device.gateway}/${device.device}`;
}

export function showDevice(device, place, belongs) {
  if (!place) return;
  const moving = device.moves;
  const colour = device.status === "ok" && moving ? COLOURS.moving : COLOURS[device.status];
  const style = { radius: moving ? 9 : 7, color: "#06121f", weight: 2, fillColor: colour, fillOpacity: 1 };
  const text = () => `${device.device}\n${belongs}\n${words(`status.${device.status}`)} · ${device.last_seen_at ? age(device.last_seen_at) : words("devices.never")}`;
  const known = deviceMarkers.get(keyOf(device));
  if (known) {
    known.setStyle(style).setRadius(style.radius).setLatLng(place).setTooltipContent(text);
  } else {
    deviceMarkers.set(keyOf(device), L.circleMarker(place, style).bindTooltip(text).addTo(map));
  }
}

// Positions come by the second, and late ones out of order: a trail is kept in order of the device's time.
export function extendTrail(position) {
  const key = keyOf(position);
  const trail = trails.get(key) ?? { points: [], line: L.polyline([], { pane: "trails", color: COLOURS.moving, weight: 3, opacity: 0.65 }).addTo(map) };
  trails.set(key, trail);
  const when = Date.parse(position.at);
  let place = trail.points.length;
  while (place > 0 && trail.points[place - 1].when > when) place -= 1;
  if (trail.points[place - 1]?.when === when) return null;
  trail.points.splice(place, 0, { when, at: [position.latitude, position.longitude] });
  trail.points.splice(0, Math.max(0, trail.points.length - TRAIL_POINTS));
  trail.line.setLatLngs(trail.points.map((point) => point.at));
  const newest = trail.points.at(-1).at;
  deviceMarkers.get(key)?.setLatLng(newest);
  return newest;
}

export function lastOnTrail(device) {
  return trails.get(keyOf(device))?.points.at(-1)?.at ?? null;
}

export function lookAt(place) {
  map.setView(place, Math.max(map.getZoom(), 16));
}

// A ring around what is being looked into; none without a place.
export function mark(place) {
  ring.remove();
  if (place) ring.setLatLng(place).addTo(map);
}

// For tests, which cannot see into a canvas.
export function drawn() {
  return { grids: gridLayer.getLayers().length, devices: deviceMarkers.size, subjects: subjectLayer.getLayers().length,
    trail: Math.max(0, ...[...trails.values()].map((trail) => trail.points.length)) };
}
