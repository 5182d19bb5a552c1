"""No default password: a new hub lets nobody in until its console's token was exchanged, once and within an hour."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from hub.accounts.issuing import issue_key
from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.parts import Parts
from hub.setup.exchanging import VALID_FOR, new_token
from hub.setup.model import SetupToken
from hub.storage.database import Database
from protocol.clock import ManualClock
from tests.integration.test_hub_process import command, running
from tests.serving import Api, new_key, opened_parts

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
GUESSES = ("", "admin", "diwang", "dw_000000000000_" + "0" * 64, "dw_admin_admin")


class NewHub:
    """A hub without any key, on a clock that the test turns."""

    def __init__(self, parts: Parts, clock: ManualClock) -> None:
        self.parts, self.clock = parts, clock
        self.app = create_app(parts)
        self.stranger = Api(self.app, None)

    async def token(self) -> str:
        """Show a token on the console."""
        async with self.parts.database.write() as session:
            shown = await new_token(session, self.clock)
        assert shown is not None
        return shown

    async def set_up(self, token: str, name: str = "office") -> httpx.Response:
        return await self.stranger.post("/setup", json={"token": token, "name": name})


@pytest.fixture
async def hub(database: Database, tmp_path: Path) -> AsyncIterator[NewHub]:
    clock = ManualClock(START)
    async with opened_parts(database, tmp_path, clock) as parts:
        yield NewHub(parts, clock)


def rule(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["rule"]


def test_every_login_of_a_fresh_hub_fails_until_the_token_of_its_console_was_used(tmp_path: Path) -> None:
    with running(tmp_path / "data") as fresh:
        assert fresh.token is not None
        for guess in (*GUESSES, fresh.token):
            assert fresh.get("/api/v1/whoami", guess).status_code == 401
            login = httpx.post(f"{fresh.ready['hub']}/login", json={"key": guess}, trust_env=False)
            assert login.status_code in {401, 422}
        assert fresh.get("/api/v1/whoami", fresh.first_key).json() | {"key_id": ""} == {
            "key_id": "",
            "name": "office",
            "scopes": ["admin"],
        }
        assert fresh.set_up(fresh.token).status_code == 410
        refused = command("setup-token", "--data", str(tmp_path / "data"))
        assert refused.returncode == 1
        assert "has an administrator" in refused.stderr
    with running(tmp_path / "data") as again:
        assert again.token is None


def test_a_restart_or_the_operator_shows_a_new_token_and_voids_those_before_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as first:
        assert first.token is not None
    with running(data) as second:
        assert second.token not in {None, first.token}
        assert rule(second.set_up(first.token)) == (410, "setup.void")
        made = command("setup-token", "--data", str(data))
        assert made.returncode == 0, made.stderr
        assert second.token is not None
        assert rule(second.set_up(second.token)) == (410, "setup.void")
        key = second.set_up(made.stdout.strip()).json()["key"]
        assert second.get("/api/v1/whoami", key).json()["scopes"] == ["admin"]
        assert second.stop()[0] == 0
    log = (tmp_path / "hub.log").read_text()
    assert [secret for secret in (first.token, second.token, made.stdout.strip(), key) if secret in log] == []


async def test_a_token_works_once_however_it_is_typed(hub: NewHub) -> None:
    token = await hub.token()
    made = await hub.set_up(f" {token.lower().replace('-', ' ')}", name="局办公室")
    assert made.status_code == 201
    me = await Api(hub.app, made.json()["key"]).get("/api/v1/whoami")
    assert (me.json()["name"], me.json()["scopes"]) == ("局办公室", ["admin"])
    assert rule(await hub.set_up(token)) == (410, "setup.used")
    hub.clock.advance(VALID_FOR.total_seconds() + 1)
    assert rule(await hub.set_up(token)) == (410, "setup.used")


async def test_fifty_at_once_make_one_administrator(hub: NewHub) -> None:
    token = await hub.token()
    answers = await asyncio.gather(*(hub.set_up(token) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [201, *[410] * 49]
    (made,) = [answer for answer in answers if answer.status_code == 201]
    keys = await Api(hub.app, made.json()["key"]).get("/api/v1/api-keys")
    assert len(keys.json()["items"]) == 1


async def test_a_token_is_good_for_an_hour(hub: NewHub) -> None:
    token = await hub.token()
    hub.clock.advance(VALID_FOR.total_seconds())
    assert rule(await hub.set_up(token)) == (410, "setup.expired")
    other = await hub.token()
    hub.clock.advance((VALID_FOR - timedelta(seconds=1)).total_seconds())
    assert (await hub.set_up(other)).status_code == 201


async def test_a_token_is_worth_nothing_once_there_is_an_administrator(hub: NewHub) -> None:
    token = await hub.token()
    await new_key(hub.parts, Scope.ALERTS_READ)
    async with hub.parts.database.write() as session:
        issue_key(session, hub.clock, "for a day", [Scope.ADMIN], hub.clock.now() + timedelta(minutes=1))
    assert rule(await hub.set_up(token)) == (410, "setup.not_needed")
    async with hub.parts.database.write() as session:
        assert await new_token(session, hub.clock) is None
    hub.clock.advance(60)
    assert (await hub.set_up(token)).status_code == 201, "that one's time is over"


async def test_the_sixth_wrong_token_has_to_wait_and_the_right_one_too(hub: NewHub) -> None:
    token = await hub.token()
    wrong = ["", "no token", *(f"0000-0000-0000-000{number}" for number in range(3))]
    for guess in wrong:
        assert rule(await hub.set_up(guess)) == (403, "setup.wrong_token")
    assert rule(await hub.set_up("0000-0000-0000-0009")) == (429, "access.too_many_tries")
    assert (await hub.set_up(token)).status_code == 429
    hub.clock.advance(61)
    assert (await hub.set_up(token)).status_code == 201


async def test_the_database_holds_no_usable_token(hub: NewHub) -> None:
    token = (await hub.token()).replace("-", "")
    async with hub.parts.database.read() as session:
        (row,) = await session.scalars(select(SetupToken))
    assert len(row.digest) == 32
    assert token.encode() not in row.digest
    assert token not in (await hub.set_up(token[:-1])).text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "A" * 65, "name": "office"},
        {"token": "0000-0000-0000-0000", "name": ""},
        {"token": "0000-0000-0000-0000", "name": "a\nb"},
        {"token": "0000-0000-0000-0000", "name": "office", "scopes": ["admin"]},
    ],
)
async def test_what_makes_no_sense_uses_nothing_up(body: dict[str, object], hub: NewHub) -> None:
    token = await hub.token()
    assert (await hub.stranger.post("/setup", json=body)).status_code == 422
    assert (await hub.set_up(token)).status_code == 201


async def test_another_site_sets_nothing_up(hub: NewHub) -> None:
    token = await hub.token()
    elsewhere = {"Origin": "https://evil.example"}
    body = {"token": token, "name": "office"}
    answer = await hub.stranger.post("/setup", json=body, headers=elsewhere)
    assert rule(answer) == (403, "access.cross_site")
    assert (await hub.set_up(token)).status_code == 201


async def test_the_page_leads_a_new_hub_to_its_set_up_and_everybody_later_to_the_login(hub: NewHub) -> None:
    async def leads(path: str) -> str | None:
        location: str | None = (await hub.stranger.get(path)).headers.get("location")
        return location

    assert await leads("/") == "/login"
    assert await leads("/login") == "/setup"
    page = await hub.stranger.get("/setup", headers={"Accept-Language": "en"})
    assert "set-up token" in page.text
    assert "设置码" in (await hub.stranger.get("/setup", headers={"Accept-Language": "zh-CN"})).text
    await new_key(hub.parts, Scope.ADMIN)
    assert await leads("/login") is None
    assert await leads("/setup") == "/login"
