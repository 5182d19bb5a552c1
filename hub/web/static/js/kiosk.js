// The page of a terminal for the public. It keeps nothing of who stood before it: after a while without a touch it loads
// itself anew. It speaks to the hub with a key of its own, which may only do what this page does.

import { element } from "./element.js";
import { at, language, words } from "./words.js";

const API = "/api/v1/kiosk";
const KEY = "diwang.kiosk.key";
const BEAT_MS = 30_000;
const IDLE_MS = 90_000;
const ANSWER_MS = 15_000;
const PHOTO_BYTES = 512 * 1024;
const PHOTO_SIDES = [1600, 1200, 900, 600];

const by = (id) => document.getElementById(id);
const views = ["setup", "start", "look", "tell", "receipt"];
let view = null;
let subject = null;
let attempt = null;

// An installer opens /kiosk#key=… once. What stands behind # never leaves the browser; it is gone from the address at once.
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    localStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

async function ask(path, body = null, headers = {}) {
  return fetch(API + path, {
    method: body === null ? "GET" : "POST",
    headers: { Authorization: `Bearer ${localStorage.getItem(KEY) ?? ""}`, ...(body === null ? {} : { "Content-Type": "application/json" }), ...headers },
    body: body === null ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
  });
}

function show(name) {
  view = name;
  for (const each of views) by(each).hidden = each !== name;
  by("home").hidden = name === "start" || name === "setup";
  document.querySelector("header nav a").hidden = name !== "start" && name !== "setup";
  by(name).querySelector("h2")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function away(is) {
  by("away").hidden = !is;
}

async function begin() {
  try {
    const answer = await ask("");
    away(false);
    if (answer.ok) {
      const here = await answer.json();
      by("here").textContent = [here.name, here.place].filter(Boolean).join(" · ");
      if (view === null || view === "setup") show("start");
    } else if ([401, 403, 404].includes(answer.status)) {
      show("setup");
    }
  } catch {
    away(true);
    if (view === null) show("start");
  }
}

async function beat() {
  try {
    const answer = await ask("/heartbeat", { page: document.body.dataset.version });
    away(false);
    if (answer.ok && (await answer.json()).page !== document.body.dataset.version && view === "start") location.replace("/kiosk");
    if (answer.status === 401) show("setup");
  } catch {
    away(true);
  }
}

// Idle: first a question, then everything that was entered is gone.

let idle = null;

function touched() {
  clearTimeout(idle);
  if (by("idle").open) by("idle").close();
  idle = setTimeout(question, IDLE_MS);
}

function question() {
  if (view === "start" || view === "setup") {
    if (location.search) location.replace("/kiosk");
    return;
  }
  by("idle").showModal();
  idle = setTimeout(leave, ANSWER_MS);
}

function leave() {
  location.replace("/kiosk");
}

// Looking up

async function search(submitted) {
  submitted.preventDefault();
  by("results").replaceChildren();
  try {
    const answer = await ask(`/subjects?${new URLSearchParams({ q: by("q").value.trim() })}`);
    const { items, more } = answer.ok ? await answer.json() : { items: [], more: false };
    by("found").textContent = items.length ? (more ? words("kiosk.found_more", { n: items.length }) : words("kiosk.found", { n: items.length })) : words("kiosk.found_none");
    by("results").replaceChildren(...items.map(result));
  } catch {
    away(true);
  }
}

function result(found) {
  const licence = found.licence ? words("kiosk.licence", { licence: found.licence }) : null;
  const status = words(`kiosk.status.${found.status}`);
  return element(
    "li",
    {},
    element("div", {}, element("b", {}, found.name), element("small", {}, [found.address, licence].filter(Boolean).join(" · ")), element("small", {}, words("kiosk.status_since", { status, at: at(found.status_at) }))),
    element("button", { type: "button", class: "quiet", onclick: () => tellOf(found) }, words("kiosk.tell_of")),
  );
}

function tellOf(found) {
  subject = found;
  const about = by("about");
  about.hidden = found === null;
  about.querySelector("b").textContent = found?.name ?? "";
  by("place").required = found === null && kind() !== "suggestion";
  by("where").hidden = found !== null;
  if (found !== null) show("tell");
}

// Telling

function kind() {
  return new FormData(by("complaint")).get("kind");
}

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(text);
}

// Drawn anew, a picture loses what the camera wrote into it: place, time, serial number.
async function photo() {
  const [file] = by("photo").files;
  if (!file) return null;
  const picture = await createImageBitmap(file);
  for (const side of PHOTO_SIDES) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const canvas = element("canvas", { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
    if (blob && blob.size <= PHOTO_BYTES) return base64(blob);
  }
  throw new Error("too large");
}

async function send(submitted) {
  submitted.preventDefault();
  const form = by("complaint");
  const problem = by("complaint-problem");
  const button = form.querySelector("button[type=submit]");
  problem.hidden = true;
  button.disabled = true;
  try {
    const fields = new FormData(form);
    const body = { kind: kind(), subject: subject?.id ?? null };
    for (const name of ["what", "place", "person", "phone"]) body[name] = fields.get(name).trim();
    if (subject) body.place = "";
    try {
      body.photo = await photo();
    } catch {
      return fail(problem, problem.dataset.photo);
    }
    // The same words sent again after a broken connection are the same complaint.
    const written = JSON.stringify(body);
    if (attempt?.written !== written) attempt = { written, key: crypto.randomUUID() };
    const answer = await ask("/complaints", body, { "Idempotency-Key": attempt.key });
    if (!answer.ok) return fail(problem, answer.status < 500 ? (await answer.json()).detail : problem.dataset.away);
    receive(await answer.json());
  } catch {
    fail(problem, problem.dataset.away);
  } finally {
    button.disabled = false;
  }
}

function fail(problem, why) {
  problem.textContent = why;
  problem.hidden = false;
  problem.scrollIntoView({ block: "center" });
}

function receive(made) {
  attempt = null;
  by("complaint").reset();
  tellOf(null);
  by("number").textContent = made.receipt;
  by("received-at").textContent = at(made.received_at);
  by("qr").src = `data:image/svg+xml,${encodeURIComponent(made.qr)}`;
  show("receipt");
}

async function saveKey(submitted) {
  submitted.preventDefault();
  localStorage.setItem(KEY, by("key").value.trim());
  by("key").value = "";
  await begin();
  by("setup").querySelector(".problem").hidden = view !== "setup";
  if (view === "start") await beat();
}

for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => show(button.dataset.view));
by("home").addEventListener("click", leave);
by("done").addEventListener("click", leave);
by("print").addEventListener("click", () => print());
by("stay").addEventListener("click", touched);
by("search").addEventListener("submit", search);
by("complaint").addEventListener("submit", send);
by("complaint").addEventListener("change", () => tellOf(subject));
by("about").querySelector("button").addEventListener("click", () => tellOf(null));
by("key-form").addEventListener("submit", saveKey);
for (const event of ["pointerdown", "keydown", "input"]) addEventListener(event, touched, { passive: true });

takeKey();
touched();
await begin();
await beat();
setInterval(beat, BEAT_MS);
document.body.dataset.ready = language;
