// Work orders, and the boxes that came of them: read once, then whatever the live stream says has changed.

import { all, get } from "./api.js";
import * as boxes from "./boxes.js";
import { gathered, live } from "./frame.js";
import * as dialog from "./order_dialog.js";
import * as orders from "./orders.js";
import { problemWords } from "./words.js";

const ORDERS_SHOWN = 100;
const REDRAW_MS = 30_000;

const trouble = document.getElementById("trouble");
const state = { orders: [], gateways: [], certificates: [], subjects: new Map() };

async function loadOrders() {
  state.orders = (await get("/enrolments", { limit: ORDERS_SHOWN })).items;
  await nameSubjects();
  drawOrders();
  const shown = state.orders.find((order) => order.id === dialog.current());
  if (shown) dialog.update(shown);
}

async function nameSubjects() {
  const unknown = new Set(state.orders.map((order) => order.subject).filter((id) => id && !state.subjects.has(id)));
  await Promise.all([...unknown].map(async (id) => state.subjects.set(id, await get(`/subjects/${id}`).then((found) => found.name, () => null))));
}

async function loadBoxes() {
  [state.gateways, state.certificates] = await Promise.all([all("/gateways"), all("/certificates")]);
  boxes.draw(state.gateways, state.certificates);
}

async function loadEverything() {
  try {
    await Promise.all([loadOrders(), loadBoxes()]);
    trouble.hidden = true;
  } catch (refused) {
    say(refused);
  }
}

function drawOrders() {
  orders.draw(state.orders, (id) => dialog.open(state.orders.find((order) => order.id === id)), subjectNamed);
}

function subjectNamed(id) {
  return state.subjects.get(id) ?? null;
}

function say(refused) {
  trouble.textContent = problemWords(refused);
  trouble.hidden = false;
}

async function run(act) {
  try {
    await act();
    trouble.hidden = true;
  } catch (refused) {
    say(refused);
    return;
  }
  await loadEverything();
}

const again = gathered(loadEverything);

boxes.use(run, (gateway) => dialog.begin({ gateway: gateway.gateway, replace: gateway.status !== "revoked" }));
dialog.use(loadEverything, subjectNamed);
document.getElementById("new-order").addEventListener("click", () => dialog.begin());
setInterval(() => {
  if (orders.tick(state.orders)) drawOrders();
  dialog.tick();
}, 1000);
setInterval(() => {
  drawOrders();
  boxes.draw(state.gateways, state.certificates);
}, REDRAW_MS);
await loadEverything();
live(({ kind }) => ["enrolment", "certificate", "gateway"].includes(kind) && again(), again);
document.body.dataset.ready = "true";
