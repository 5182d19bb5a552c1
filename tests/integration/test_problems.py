"""Every refusal looks the same, and says what to do."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, Response

from hub.api.preconditions import IfMatch, etag, tag
from hub.api.problems import MEDIA_TYPE
from hub.api.times import Window, window
from protocol.errors import RefusedRequestError, StoreUnavailableError
from tests.serving import Api

KEYS = "/api/v1/api-keys"


@pytest.fixture
async def odd(api: Api) -> Api:
    """The application with a few routes that fail in their own ways."""

    @api.app.get("/odd/refused")
    async def refused() -> None:
        raise RefusedRequestError("grids.overlap", "网格 A overlaps grid B by 12 m2")

    @api.app.get("/odd/away")
    async def away() -> None:
        raise StoreUnavailableError("connection refused by 10.0.0.5")

    @api.app.get("/odd/bug")
    async def bug() -> None:
        raise ZeroDivisionError("secret=42")

    @api.app.get("/odd/window")
    async def windowed(found: Annotated[Window, Depends(window)]) -> list[str]:
        return [at.isoformat() for at in found]

    @api.app.put("/odd/edited")
    async def edited(if_match: IfMatch, response: Response) -> None:
        if_match.require(7)
        tag(response, 8)

    return api


def told(answer: httpx.Response) -> tuple[int, str]:
    """Return status and rule of a problem, having checked its shape."""
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:diwang:rule:{body['rule']}"
    assert body["title"]
    assert body["detail"]
    return answer.status_code, body["rule"]


async def test_a_refusal_names_its_rule(odd: Api) -> None:
    answer = await odd.get("/odd/refused")
    assert told(answer) == (409, "grids.overlap")
    assert answer.json()["detail"] == "网格 A overlaps grid B by 12 m2"


async def test_a_store_that_is_away_says_when_to_try_again(odd: Api) -> None:
    answer = await odd.get("/odd/away")
    assert told(answer) == (503, "stores.unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "10.0.0.5" not in answer.text


async def test_a_bug_tells_nothing_of_itself(odd: Api) -> None:
    answer = await odd.get("/odd/bug")
    assert told(answer) == (500, "http.internal_server_error")
    assert "42" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert 'hub_http_requests_total{method="GET",status="500"}' in (await odd.get("/metrics")).text


async def test_no_such_path_and_no_such_method(odd: Api) -> None:
    assert told(await odd.get("/api/v1/nothing")) == (404, "http.not_found")
    answer = await odd.put(KEYS)
    assert told(answer) == (405, "http.method_not_allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("body", [b"{", b"{nope", b'{"name":"x",}', b"\xff\xfe"])
async def test_what_is_not_json_is_a_bad_request(api: Api, body: bytes) -> None:
    answer = await api.post(KEYS, content=body, headers={"Content-Type": "application/json"})
    status, _ = told(answer)
    assert status == 400


async def test_json_of_the_wrong_shape_names_each_field(api: Api) -> None:
    answer = await api.post(KEYS, json={"name": "", "scopes": ["fly"], "extra": 1})
    assert told(answer) == (422, "requests.invalid")
    assert {tuple(each["where"]) for each in answer.json()["errors"]} == {
        ("body", "name"),
        ("body", "scopes", 0),
        ("body", "extra"),
    }


@pytest.mark.parametrize("name", ["a\x00b", "line\nbreak", "\ud800", "x" * 201])
async def test_text_that_cannot_be_stored_is_refused(api: Api, name: str) -> None:
    body = b'{"name": "%s", "scopes": ["admin"]}' % name.encode("unicode_escape").replace(b"\\x", b"\\u00")
    answer = await api.post(KEYS, content=body, headers={"Content-Type": "application/json"})
    status, _ = told(answer)
    assert status == 422


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    limit = api.parts.config.http.max_body_bytes
    announced = await api.post(KEYS, content=b"x" * (limit + 1), headers={"Content-Type": "application/json"})
    assert told(announced) == (413, "requests.too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(limit // 1000 + 1):
            yield b" " * 1000

    unannounced = await api.post(KEYS, content=pieces(), headers={"Content-Type": "application/json"})
    assert told(unannounced)[0] == 413


async def test_windows_of_time(odd: Api) -> None:
    url = "/odd/window"
    answer = await odd.get(url, params={"from": "2026-11-24T08:00:00+08:00", "to": "2026-11-24T00:00:01Z"})
    assert answer.json() == ["2026-11-24T00:00:00+00:00", "2026-11-24T00:00:01+00:00"]
    bad: list[tuple[str, str]] = [
        ("2026-11-24T08:00:00", "2026-11-25T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "2026-11-25T00:00:00Z"),
        ("2026-11-24T08:00:00Z", "9999-12-31T23:59:59-12:00"),
        ("1764000000", "2026-11-25T00:00:00Z"),
        ("2026-11-24T00:00:00 08:00", "2026-11-25T00:00:00Z"),
        ("yesterday", "2026-11-25T00:00:00Z"),
        ("1e400", "2026-11-25T00:00:00Z"),
    ]
    for since, until in bad:
        assert told(await odd.get(url, params={"from": since, "to": until}))[0] == 422
    empty = await odd.get(url, params={"from": "2026-11-24T08:00:00Z", "to": "2026-11-24T08:00:00Z"})
    assert told(empty) == (422, "times.empty_window")


async def test_nobody_overwrites_what_they_have_not_seen(odd: Api) -> None:
    url = "/odd/edited"
    assert told(await odd.put(url)) == (428, "preconditions.missing")
    for stale in ('"6"', 'W/"7"', "7", ""):
        assert told(await odd.put(url, headers={"If-Match": stale})) == (412, "preconditions.changed")
    for fresh in ('"7"', "*", '"3", "7"'):
        answer = await odd.put(url, headers={"If-Match": fresh})
        assert (answer.status_code, answer.headers["ETag"]) == (200, etag(8))


async def test_every_answer_carries_the_headers_that_protect(api: Api) -> None:
    for path in ("/healthz", "/api/v1/whoami", "/nothing", "/odd"):
        headers = (await api.get(path)).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert (await api.get("/api/v1/whoami")).headers["Cache-Control"] == "no-store"


async def test_readiness_names_what_is_missing(api: Api) -> None:
    async def away() -> None:
        raise StoreUnavailableError("the disk is full")

    assert (await api.get("/readyz")).json() == {"status": "ready", "missing": {}}
    api.parts.readiness.add("telemetry", away)
    answer = await api.get("/readyz")
    assert answer.status_code == 503
    expected: dict[str, Any] = {"status": "not ready", "missing": {"telemetry": "the disk is full"}}
    assert answer.json() == expected
    assert (await api.get("/healthz")).status_code == 200


async def test_metrics_count_requests(api: Api) -> None:
    await api.get("/api/v1/nothing")
    metrics = (await api.get("/metrics")).text
    assert 'hub_http_requests_total{method="GET",status="404"}' in metrics
    assert (await api.without_key().get("/metrics")).status_code == 401
