"""A creation that is repeated changes nothing, and is answered the same."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import ApiKeyRow
from hub.accounts.schemas import ApiKeyCreated
from hub.accounts.scopes import Scope
from hub.api import idempotency, repository
from hub.api.idempotency import REPLAYED, Creation
from hub.api.model import CreationRow
from hub.parts import Parts
from protocol.errors import RefusedRequestError
from tests.serving import Api, new_key

KEYS = "/api/v1/api-keys"
BODY = {"name": "one", "scopes": ["telemetry:read"]}
ONCE = {"Idempotency-Key": "5e0d3c8c-52b5-4a4e-9d0d-53a3a4c5b1f1"}


async def keys_named(parts: Parts, name: str) -> int:
    async with parts.database.read() as session:
        named = select(func.count()).select_from(ApiKeyRow).where(ApiKeyRow.name == name)
        return await session.scalar(named) or 0


async def test_a_repeat_is_answered_the_same(api: Api) -> None:
    first = await api.post(KEYS, json=BODY, headers=ONCE)
    again = await api.post(KEYS, json=BODY, headers=ONCE)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert await keys_named(api.parts, "one") == 1


async def test_an_answer_lost_after_the_commit_comes_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub dies between the commit and the answer."""

    async def once_and_die(creation: Creation, *given: object, **options: object) -> None:
        await once(creation, *given, **options)  # type: ignore[arg-type]
        raise ConnectionResetError

    once = Creation.once
    with monkeypatch.context() as dying:
        dying.setattr(idempotency.Creation, "once", once_and_die)
        assert (await api.post(KEYS, json=BODY, headers=ONCE)).status_code == 500
    assert await keys_named(api.parts, "one") == 1
    again = await api.post(KEYS, json=BODY, headers=ONCE)
    assert again.status_code == 201
    assert await keys_named(api.parts, "one") == 1
    assert (await Api(api.app, again.json()["key"]).get("/api/v1/whoami")).json()["name"] == "one"


async def test_twenty_at_once_make_one(api: Api) -> None:
    answers = await asyncio.gather(*(api.post(KEYS, json=BODY, headers=ONCE) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await keys_named(api.parts, "one") == 1


async def test_the_same_key_for_another_request_is_refused(api: Api) -> None:
    await api.post(KEYS, json=BODY, headers=ONCE)
    refused = await api.post(KEYS, json={**BODY, "name": "two"}, headers=ONCE)
    assert (refused.status_code, refused.json()["rule"]) == (422, "idempotency.key_reused")
    assert await keys_named(api.parts, "two") == 0


async def test_keys_of_different_callers_do_not_meet(api: Api) -> None:
    other = await api.with_scopes(Scope.ADMIN)
    first = await api.post(KEYS, json=BODY, headers=ONCE)
    second = await other.post(KEYS, json=BODY, headers=ONCE)
    assert first.json()["id"] != second.json()["id"]


async def test_without_the_header_each_request_counts(api: Api) -> None:
    for _ in range(2):
        assert (await api.post(KEYS, json=BODY)).status_code == 201
    assert await keys_named(api.parts, "one") == 2


async def test_a_refusal_is_not_remembered(parts: Parts) -> None:
    caller = await parts.keys.caller_with_key(await new_key(parts, Scope.ADMIN))
    assert caller
    creation = Creation(parts, caller, "key", b"\x00" * 32)
    attempts: list[int] = []

    async def act(_: AsyncSession) -> ApiKeyCreated:
        attempts.append(1)
        if len(attempts) == 1:
            raise RefusedRequestError("test.no", "not yet")
        return ApiKeyCreated(id="1", name="n", scopes=[], key="k")

    with pytest.raises(RefusedRequestError):
        await creation.once(act)
    made = await creation.once(act, location=lambda key: f"/api/v1/api-keys/{key.id}")
    again = await creation.once(act, location=lambda key: f"/api/v1/api-keys/{key.id}")
    assert made.body == again.body
    assert made.headers["location"] == again.headers["location"] == "/api/v1/api-keys/1"
    assert len(attempts) == 2


async def test_the_secret_in_an_answer_is_sealed(api: Api) -> None:
    made = await api.post(KEYS, json=BODY, headers=ONCE)
    async with api.parts.database.read() as session:
        row = (await session.scalars(select(CreationRow))).one()
    assert row.answer is not None
    assert made.json()["key"].encode() not in row.answer
    assert ONCE["Idempotency-Key"].encode() not in row.id + row.answer + row.request_hash


async def test_after_a_day_it_is_forgotten(api: Api) -> None:
    await api.post(KEYS, json=BODY, headers=ONCE)
    async with api.parts.database.write() as session:
        await repository.forget(session, api.parts.clock.now() + timedelta(seconds=1))
    assert REPLAYED not in (await api.post(KEYS, json=BODY, headers=ONCE)).headers
    assert await keys_named(api.parts, "one") == 2


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_bounds(api: Api, key: str) -> None:
    assert (await api.post(KEYS, json=BODY, headers={"Idempotency-Key": key})).status_code == 422
