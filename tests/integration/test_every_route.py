"""No route without a policy: each wants a key, and one with its scope. What is open to everybody is listed here."""

import re

from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from tests.serving import Api

OPEN = {
    ("GET", "/"),
    ("GET", "/enrolments"),
    ("GET", "/configs"),
    ("GET", "/login"),
    ("GET", "/kiosk"),
    ("GET", "/verify/{number}"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/words/{language}.json"),
    ("GET", "/language/{language}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/openapi.json"),
    ("HEAD", "/api/v1/openapi.json"),
    ("GET", "/gateway/v1/authority"),
    ("POST", "/gateway/v1/enrol"),
    ("GET", "/setup"),
    ("POST", "/setup"),
}
"""Pages without data, logging in and out, whether the hub lives, and the description of the API; the hub's root
certificate; and what a one-time code is needed for: enrolment, and the set-up of a new hub."""

FILES = {"/static"}

ANY_SCOPE = {("GET", "/api/v1/whoami")}
"""For everybody who has a key."""

GATEWAYS = "/gateway/v1/"
"""For boxes, which have no key: they show a certificate or a password."""

_EXAMPLES = {
    "sha256": "0" * 64,
    "key_id": "0" * 12,
    "gateway": "g1",
    "device": "d1",
    "number": "1",
    "grid": "1",
    "serial": "1",
}
_ID = "0190b0a0-0000-7000-8000-000000000000"


def routes(api: Api) -> set[tuple[str, str]]:
    """Return every method and path that the application answers; files that it serves are apart."""
    found = set()
    for context in iter_route_contexts(api.app.routes):
        if isinstance(context.original_route, Mount):
            assert context.path in FILES
            continue
        found |= {(method, context.path or "") for method in context.methods or ()}
    return found


def example(path: str) -> str:
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: _EXAMPLES.get(found[1], _ID), path)


async def test_nothing_is_answered_without_a_key(api: Api) -> None:
    stranger = api.without_key()
    guarded = routes(api) - OPEN
    assert len(guarded) > 50
    for method, path in sorted(guarded):
        answer = await stranger.request(method, example(path))
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code} {answer.text}"
        wanted = 'Basic realm="gateway"' if path.startswith(GATEWAYS) else "Bearer"
        assert answer.headers["WWW-Authenticate"] == wanted


async def test_nothing_is_answered_for_a_key_without_the_scope(api: Api) -> None:
    bare = await api.with_scopes()
    for method, path in sorted(routes(api) - OPEN - ANY_SCOPE):
        if path.startswith(GATEWAYS):
            assert (await api.request(method, example(path))).status_code == 401, "the highest key is no gateway"
            continue
        answer = await bare.request(method, example(path))
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code} {answer.text}"
        if method != "HEAD":  # which has no body
            assert answer.json()["rule"] == "access.missing_scope"


async def test_what_is_open_is_there(api: Api) -> None:
    assert routes(api) >= OPEN | ANY_SCOPE


async def test_no_file_beside_the_served_ones_is_given_out(api: Api) -> None:
    stranger = api.without_key()
    assert (await stranger.get("/static/js/nothing.js")).status_code == 404
    for climb in (
        "../endpoints.py",
        "%2e%2e/endpoints.py",
        "..%2fendpoints.py",
        "js/../../endpoints.py",
        "%2fetc/passwd",
    ):
        answer = await stranger.get(f"/static/{climb}")
        assert answer.status_code == 404, climb
        assert "import" not in answer.text
