// The hub's API as the page uses it. The session cookie says who we are.

const ROOT = "/api/v1";
const CLOCK_SET_MS = 5_000;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || String(status));
    this.status = status;
    this.rule = problem.rule ?? "";
  }
}

let aheadMs = 0;

// The hub's time: what ends at a moment ends by its clock, not by that of this screen. An answer is somewhat older than
// its arrival, so the one that puts the hub furthest ahead is nearest to the truth, until this screen's clock is set.
export function hubNow() {
  return Date.now() + aheadMs;
}

async function answer(response) {
  const ahead = Date.parse(response.headers.get("date")) - Date.now();
  if (!Number.isNaN(ahead)) aheadMs = Math.abs(ahead - aheadMs) < CLOCK_SET_MS ? Math.max(aheadMs, ahead) : ahead;
  if (response.status === 401) {
    location.assign("/login");
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Refused(response.status, problem);
  }
  return response.status === 204 ? null : response.json();
}

export async function get(path, query = {}) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value != null));
  return answer(await fetch(`${ROOT}${path}${parameters.size ? `?${parameters}` : ""}`));
}

// What people edit, with the tag to change it by.
export async function getTagged(path) {
  const response = await fetch(`${ROOT}${path}`);
  return { found: await answer(response), tag: response.headers.get("etag") };
}

// Every page of a list, up to a bound that a screen can still show.
export async function all(path, query = {}, most = 2000) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, { ...query, limit: 500, cursor });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < most);
  return items;
}

export async function post(path, body) {
  return answer(
    await fetch(`${ROOT}${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
      body: JSON.stringify(body),
    }),
  );
}

export async function put(path, body, tag) {
  return answer(
    await fetch(`${ROOT}${path}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json", "If-Match": tag },
      body: JSON.stringify(body),
    }),
  );
}

export async function remove(path) {
  return answer(await fetch(`${ROOT}${path}`, { method: "DELETE" }));
}

export function picture(sha256) {
  return `${ROOT}/media/${sha256}`;
}
