// The hub's API as the page uses it. The session cookie says who we are.

const ROOT = "/api/v1";

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || String(status));
    this.status = status;
  }
}

async function answer(response) {
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

export function picture(sha256) {
  return `${ROOT}/media/${sha256}`;
}
