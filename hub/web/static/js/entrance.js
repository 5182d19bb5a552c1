// What the pages before the door share: handing something in, and saying why it was not taken.

const problem = document.getElementById("problem");

// The answer, or null when the hub does not answer.
export async function handIn(path, body) {
  problem.hidden = true;
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

// `why` is one of the page's own sentences.
export function sayWhy(why, input) {
  problem.textContent = problem.dataset[why];
  problem.hidden = false;
  input.select();
}
