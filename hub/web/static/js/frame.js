// What every page within has: the clock, the way out, the badge that says whether the page is live.

import { follow } from "./live.js";
import { timeOfDay, words } from "./words.js";

const GATHER_MS = 400;

// Many updates of one kind within a moment cost one reading.
export function gathered(act) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      act();
    }, GATHER_MS);
  };
}

// Follow the live stream; `again` reads everything anew, after updates were missed.
export function live(take, again) {
  const badge = document.getElementById("live");
  follow(
    (update) => (update.kind === "resync" ? again() : take(update)),
    (now) => {
      const was = badge.dataset.state;
      badge.dataset.state = now;
      badge.textContent = words(`live.${now}`);
      if (was === "lost" && now === "live") again();
    },
  );
}

document.getElementById("leave").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  location.assign("/login");
});
setInterval(() => (document.getElementById("clock").textContent = timeOfDay(new Date())), 1000);
