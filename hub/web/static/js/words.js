// Words and times in the reader's language. `words("alerts.times", {n: 3})`.

export const language = document.documentElement.lang;

const catalogue = await (await fetch(`/words/${language}.json`)).json();

export function words(path, values = {}) {
  let found = catalogue;
  for (const key of path.split(".")) {
    found = found?.[key];
  }
  return typeof found === "string" ? found.replace(/\{(\w+)\}/g, (_, name) => values[name]) : path;
}

// A type of alert has dots of its own; an unknown one is shown as it is.
export function typeWords(type) {
  return catalogue.type[type] ?? type;
}

// What an error says to people: in words where there are some for its rule, else what the hub says.
export function problemWords(error) {
  if (!error.status) return words("login.away");
  return catalogue.refused[error.rule]?.replace("{detail}", () => error.message) ?? error.message;
}

const moment = new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "medium" });
const date = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const time = new Intl.DateTimeFormat(language, { timeStyle: "medium" });

export function at(iso) {
  return moment.format(new Date(iso));
}

export function day(iso) {
  return date.format(new Date(iso));
}

export function timeOfDay(date) {
  return time.format(date);
}

export function age(iso) {
  const seconds = Math.max(0, (Date.now() - new Date(iso)) / 1000);
  if (seconds < 5) return words("time.now");
  const [unit, size] = seconds < 60 ? ["seconds", 1] : seconds < 3600 ? ["minutes", 60] : seconds < 86400 ? ["hours", 3600] : ["days", 86400];
  return words("alerts.ago", { t: words(`time.${unit}`, { n: Math.floor(seconds / size) }) });
}
