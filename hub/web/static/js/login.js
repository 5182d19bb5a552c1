// Logging in: the key goes to the hub once, and comes back as a cookie that scripts cannot read.

import { handIn, sayWhy } from "./entrance.js";

const form = document.getElementById("login");

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const response = await handIn("/login", { key: form.key.value.trim() });
  if (response?.ok) {
    location.assign("/");
    return;
  }
  sayWhy(response?.status < 500 ? "refused" : "away", form.key);
});
