"""Who may call: keys, scopes, expiry, revocation, sessions of browsers, and requests that another site sends."""

import hashlib
import json
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from hub.accounts import repository
from hub.accounts.issuing import SESSION_LIFE, issue_key
from hub.accounts.keyring import TRUSTED_FOR_S
from hub.accounts.model import ApiKeyRow, SessionRow
from hub.accounts.scopes import Scope
from hub.accounts.throttle import DIFFERENT_KEYS, SAME_KEY, WINDOW_S
from hub.app import create_app
from hub.config import HttpSection, HubConfig
from hub.parts import Parts
from hub.storage.database import Database, open_database
from protocol.clock import ManualClock
from tests.serving import Api, new_key, opened_parts

WHOAMI = "/api/v1/whoami"
KEYS = "/api/v1/api-keys"


async def test_no_key_no_answer(api: Api) -> None:
    stranger = api.without_key()
    refused = await stranger.get(WHOAMI)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.json()["rule"] == "access.no_key"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer dw_1_2",
        "Basic Zm9vOmJhcg==",
        "Bearer dw_000000000000_" + "0" * 64,
        "Bearer ключ",
    ],
)
async def test_what_is_not_a_key_is_refused(api: Api, header: str) -> None:
    answer = await api.without_key().get(WHOAMI, headers={b"Authorization": header.encode()})
    assert answer.status_code == 401


async def test_a_key_with_one_wrong_digit_is_refused(api: Api) -> None:
    assert api.key is not None
    wrong = api.key[:-1] + ("0" if api.key[-1] != "0" else "1")
    answer = await api.without_key().get(WHOAMI, headers={"Authorization": f"Bearer {wrong}"})
    assert answer.status_code == 401


async def test_a_scope_that_is_missing_is_named(api: Api) -> None:
    mere = await api.with_scopes(Scope.TELEMETRY_READ)
    refused = await mere.get(KEYS)
    assert refused.status_code == 403
    assert refused.json()["rule"] == "access.missing_scope"
    assert "keys:manage" in refused.json()["detail"]


async def test_the_database_holds_no_usable_key(api: Api) -> None:
    assert api.key is not None
    async with api.parts.database.read() as session:
        rows = list(await session.scalars(select(ApiKeyRow)))
    stored = repr([vars(row) for row in rows])
    assert hashlib.sha256(api.key.encode()).digest() in {row.digest for row in rows}
    assert api.key.rsplit("_", 1)[1] not in stored


async def test_a_key_ends_when_it_says(database: Database, tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened_parts(database, tmp_path, clock) as parts:
        async with database.write() as session:
            end = clock.now() + timedelta(seconds=2)
            secret = issue_key(session, clock, "short", [Scope.ADMIN], end).secret
        assert await parts.keys.caller_with_key(secret)
        clock.advance(2)
        assert await parts.keys.caller_with_key(secret) is None


async def test_a_key_revoked_here_is_refused_at_once(api: Api) -> None:
    made = await api.post(KEYS, json={"name": "inspector's page", "scopes": ["telemetry:read"]})
    assert made.status_code == 201
    other = Api(api.app, made.json()["key"])
    assert (await other.get(WHOAMI)).json()["name"] == "inspector's page"
    assert (await api.delete(f"{KEYS}/{made.json()['id']}")).status_code == 204
    assert (await other.get(WHOAMI)).status_code == 401
    listed = {row["id"]: row for row in (await api.get(KEYS)).json()["items"]}
    assert listed[made.json()["id"]]["revoked_at"] is not None
    assert (await api.delete(f"{KEYS}/000000000000")).status_code == 404


async def test_a_key_revoked_by_another_process_is_refused_within_five_seconds(
    sqlite_database: Database, tmp_path: Path
) -> None:
    clock = ManualClock()
    other = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    async with opened_parts(sqlite_database, tmp_path, clock) as parts:
        secret = await new_key(parts, Scope.ADMIN)
        caller = await parts.keys.caller_with_key(secret)
        assert caller
        async with other.write() as session:
            await repository.revoke(session, caller.key_id, clock.now())
        clock.advance(TRUSTED_FOR_S)
        assert TRUSTED_FOR_S < 5
        assert await parts.keys.caller_with_key(secret) is None
        assert not await parts.keys.alive(caller)
    await other.close()


async def test_nobody_gives_a_scope_that_they_do_not_have(api: Api) -> None:
    keeper = await api.with_scopes(Scope.KEYS_MANAGE)
    refused = await keeper.post(KEYS, json={"name": "ladder", "scopes": ["admin"]})
    assert (refused.status_code, refused.json()["rule"]) == (403, "keys.scope_not_held")
    allowed = await keeper.post(KEYS, json={"name": "deputy", "scopes": ["keys:manage"]})
    assert allowed.status_code == 201


async def test_the_last_use_is_written_down(api: Api) -> None:
    await api.get(WHOAMI)
    await api.parts.keys.save_uses()
    used = (await api.get(KEYS)).json()["items"][0]["last_used_at"]
    assert used is not None


async def test_checking_a_known_key_costs_no_query(api: Api) -> None:
    assert api.key is not None
    await api.get(WHOAMI)
    await api.parts.database.close()
    started = time.process_time()
    for _ in range(1000):
        assert await api.parts.keys.caller_with_key(api.key)
    assert (time.process_time() - started) / 1000 < 0.001


async def logged_in(api: Api) -> Api:
    browser = api.without_key()
    answer = await browser.post("/login", json={"key": api.key})
    assert answer.status_code == 204
    return browser


async def test_a_browser_logs_in_and_out(api: Api) -> None:
    browser = await logged_in(api)
    assert (await browser.get(WHOAMI)).json()["scopes"] == ["admin"]
    out = await browser.post("/logout")
    assert out.status_code == 204
    assert (await browser.get(WHOAMI)).status_code == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(api: Api) -> None:
    answer = await api.without_key().post("/login", json={"key": api.key})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert str(api.key) not in cookie


async def test_over_https_the_cookie_is_bound_to_the_host(database: Database, tmp_path: Path) -> None:
    async with opened_parts(database, tmp_path) as parts:
        config = HubConfig(data=tmp_path, http=HttpSection(public_url="https://hub.example"))
        safe = Parts(**{name: getattr(parts, name) for name in Parts.__slots__} | {"config": config})
        key = await new_key(parts, Scope.ADMIN)
        async with Api(create_app(safe), None) as browser:
            answer = await browser.post("/login", json={"key": key})
            cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    assert "Strict-Transport-Security" in answer.headers


async def test_another_site_cannot_act_through_a_browser(api: Api) -> None:
    browser = await logged_in(api)
    body = {"name": "x", "scopes": ["telemetry:read"]}
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil"}):
        refused = await browser.post(KEYS, json=body, headers=headers)
        assert (refused.status_code, refused.json()["rule"]) == (403, "access.cross_site")
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://hub"}):
        assert (await browser.post(KEYS, json=body, headers=headers)).status_code == 201


async def test_revoking_a_key_ends_its_sessions(api: Api) -> None:
    made = (await api.post(KEYS, json={"name": "tablet", "scopes": ["telemetry:read"]})).json()
    browser = api.without_key()
    await browser.post("/login", json={"key": made["key"]})
    assert (await browser.get(WHOAMI)).status_code == 200
    await api.delete(f"{KEYS}/{made['id']}")
    assert (await browser.get(WHOAMI)).status_code == 401
    async with api.parts.database.read() as session:
        assert list(await session.scalars(select(SessionRow))) == []


async def test_a_session_ends_after_twelve_hours(database: Database, tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened_parts(database, tmp_path, clock) as parts:
        key = await new_key(parts, Scope.ADMIN)
        async with Api(create_app(parts), None) as browser:
            await browser.post("/login", json={"key": key})
            clock.advance(SESSION_LIFE.total_seconds() - 1)
            assert (await browser.get(WHOAMI)).status_code == 200
            clock.advance(1)
            assert (await browser.get(WHOAMI)).status_code == 401


async def test_a_wrong_key_does_not_log_in(api: Api) -> None:
    refused = await api.without_key().post("/login", json={"key": "dw_000000000000_" + "0" * 64})
    assert refused.status_code == 401
    assert "Set-Cookie" not in refused.headers


def _wrong_key(number: int) -> str:
    return f"dw_{number:012x}_{'0' * 64}"


@pytest.mark.parametrize("way", ["login", "header"])
async def test_who_tries_keys_has_to_wait(api: Api, way: str) -> None:
    stranger = api.without_key()

    async def attempt(key: str) -> httpx.Response:
        if way == "login":
            return await stranger.post("/login", json={"key": key})
        return await stranger.get(WHOAMI, headers={"Authorization": f"Bearer {key}"})

    assert (await api.get(WHOAMI)).status_code == 200
    answers = [await attempt(_wrong_key(number)) for number in range(DIFFERENT_KEYS)]
    assert {answer.status_code for answer in answers} == {401}
    refused = await attempt(_wrong_key(DIFFERENT_KEYS))
    assert (refused.status_code, refused.json()["rule"]) == (429, "access.too_many_tries")
    assert refused.headers["Retry-After"] == str(WINDOW_S)
    assert (await api.get(WHOAMI)).status_code == 200, "who was let in before works on"


async def test_a_hundred_wrong_logins_from_one_place_leave_other_places_alone(api: Api) -> None:
    def at(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(api.app, client=(address, 1)), base_url="http://hub")

    async with at("192.0.2.66") as stranger, at("192.0.2.7") as colleague:
        answers = [await stranger.post("/login", json={"key": _wrong_key(1)}) for _ in range(100)]
        assert [answer.status_code for answer in answers].count(401) == SAME_KEY
        assert answers[-1].status_code == 429
        assert (await colleague.post("/login", json={"key": api.key})).status_code == 204


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil"}, {"Origin": "null"}])
async def test_another_site_logs_nobody_in_or_out(api: Api, headers: dict[str, str]) -> None:
    browser = await logged_in(api)
    refused = [
        await browser.post("/logout", headers=headers),
        await browser.post("/login", json={"key": api.key}, headers=headers),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["rule"]) == (403, "access.cross_site")
        assert "Set-Cookie" not in answer.headers
    assert (await browser.get(WHOAMI)).status_code == 200


async def test_a_form_cannot_carry_a_key(api: Api) -> None:
    """A form of another site can send text/plain, and that must not be taken for JSON."""
    body = json.dumps({"key": api.key})
    answer = await api.without_key().post("/login", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422


async def test_logging_out_ends_what_lasts(api: Api) -> None:
    browser = await logged_in(api)
    cookie = browser.cookies["diwang_session"]
    caller = await api.parts.keys.caller_with_session(cookie)
    assert caller
    assert cookie not in repr(caller)
    assert await api.parts.keys.alive(caller)
    await browser.post("/logout")
    assert not await api.parts.keys.alive(caller)


async def test_what_does_not_look_like_a_key_is_no_try(api: Api) -> None:
    stranger = api.without_key()
    for number in range(DIFFERENT_KEYS + 1):
        answer = await stranger.get(WHOAMI, headers={"Authorization": f"Bearer {number}"})
        assert answer.status_code == 401
