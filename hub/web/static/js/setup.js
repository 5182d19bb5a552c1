// Setting up a new hub: the console's token becomes the first key, which is shown once, and then logs this browser in.

import { handIn, sayWhy } from "./entrance.js";

const form = document.getElementById("setup");
const made = document.getElementById("made");
const said = { 403: "wrong", 410: "gone", 422: "wrong", 429: "wait" };

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const response = await handIn("/setup", { token: form.token.value.trim(), name: form.who.value.trim() });
  if (!response?.ok) {
    sayWhy(said[response?.status] ?? "away", form.token);
    return;
  }
  made.key.value = (await response.json()).key;
  form.hidden = true;
  made.hidden = false;
  made.key.select();
});

made.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const response = await handIn("/login", { key: made.key.value });
  location.assign(response?.ok ? "/" : "/login");
});
