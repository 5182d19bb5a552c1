// Logging in: the key goes to the hub once, and comes back as a cookie that scripts cannot read.

const form = document.getElementById("login");
const problem = document.getElementById("problem");

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  problem.hidden = true;
  let response = null;
  try {
    response = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key: form.key.value.trim() }),
    });
  } catch {
    problem.textContent = problem.dataset.away;
  }
  if (response?.ok) {
    location.assign("/");
    return;
  }
  if (response) {
    problem.textContent = response.status < 500 ? problem.dataset.refused : problem.dataset.away;
  }
  problem.hidden = false;
  form.key.select();
});
