// Setting up a new hub: the console's token becomes the first key, which is shown once, and then logs this browser in.

const form = document.getElementById("setup");
const made = document.getElementById("made");
const problem = document.getElementById("problem");
const said = { 403: "wrong", 410: "gone", 422: "wrong", 429: "wait" };

async function send(path, body) {
  try {
    return await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return null;
  }
}

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  problem.hidden = true;
  const response = await send("/setup", { token: form.token.value.trim(), name: form.who.value.trim() });
  if (!response?.ok) {
    problem.textContent = problem.dataset[said[response?.status] ?? "away"];
    problem.hidden = false;
    form.token.select();
    return;
  }
  made.key.value = (await response.json()).key;
  form.hidden = true;
  made.hidden = false;
  made.key.select();
});

made.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const response = await send("/login", { key: made.key.value });
  location.assign(response?.ok ? "/" : "/login");
});
