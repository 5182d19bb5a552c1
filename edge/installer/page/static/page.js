// What a page does by itself: it asks for itself again while something is under way, takes masks and photos.
import { drawMasks } from "./masks.js";
import { sendSigns } from "./sign.js";

let timer;

function settle() {
  clearTimeout(timer);
  const main = document.querySelector("main");
  const seconds = Number(main.dataset.again ?? 0);
  if (seconds > 0) timer = setTimeout(again, seconds * 1000);
  drawMasks(main);
  sendSigns(main);
}

async function again() {
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
    if (answer.redirected) return location.assign(answer.url);
    take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The phone lost the box for a moment; the next time it may be there.
  }
  settle();
}

function take(fresh) {
  const main = document.querySelector("main");
  // Whoever is typing keeps what was typed.
  if (main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
  const open = new Set([...main.querySelectorAll("details[open]")].map((each) => each.id));
  main.replaceWith(fresh.querySelector("main"));
  document.querySelector(".steps")?.replaceWith(fresh.querySelector(".steps"));
  for (const each of document.querySelectorAll("main details[id]")) each.open ||= open.has(each.id);
}

settle();
