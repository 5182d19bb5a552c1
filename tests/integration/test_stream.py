"""Live updates over a real socket: what was missed comes first, nothing comes twice, and nobody is waited for."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.parts import Parts
from hub.storage.database import Database, open_database
from hub.stream import stream as streaming
from hub.stream.stream import HELLO, RESYNC, Stream
from protocol.clock import ManualClock, SystemClock
from tests.serving import Api, new_key, served

PATIENCE_S = 10


@dataclass(frozen=True)
class Message:
    """One server-sent event."""

    event: str
    data: Any
    id: int | None


class Listener:
    """A client of the stream, reading one message after the other."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> Message:
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                if line.startswith(":"):
                    continue
                if not line:
                    if fields:
                        break
                    continue
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                raise EOFError
        return Message(fields["event"], json.loads(fields["data"]), int(fields["id"]) if "id" in fields else None)


@asynccontextmanager
async def listening(url: str, key: str | None, **params: Any) -> AsyncIterator[Listener]:
    headers = {"Authorization": f"Bearer {key}"} | params.pop("headers", {})
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as client,
        client.stream("GET", f"{url}/api/v1/stream", headers=headers, params=params) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield Listener(answer.aiter_lines())


async def append(parts: Parts, *numbers: int, kind: str = "alert") -> None:
    async with parts.database.write() as session:
        for number in numbers:
            await parts.stream.append(session, kind, {"n": number})


async def test_a_commit_reaches_who_listens(api: Api) -> None:
    async with served(api.app) as url, listening(url, api.key) as listener:
        assert (await listener.next()).event == HELLO
        await append(api.parts, 1, 2)
        first, second = await listener.next(), await listener.next()
        assert (first.event, first.data, second.data) == ("alert", {"n": 1}, {"n": 2})
        assert first.id is not None
        assert second.id == first.id + 1


async def test_what_was_rolled_back_reaches_nobody(api: Api) -> None:
    async with served(api.app) as url, listening(url, api.key) as listener:
        await listener.next()
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is tested
            async with api.parts.database.write() as session:
                await api.parts.stream.append(session, "alert", {"n": 13})
                _ = 1 // 0
        await append(api.parts, 14)
        assert (await listener.next()).data == {"n": 14}


async def test_it_resumes_where_the_client_stopped(api: Api) -> None:
    async with served(api.app) as url:
        async with listening(url, api.key) as listener:
            await listener.next()
            await append(api.parts, 1)
            seen = (await listener.next()).id
        await append(api.parts, 2, 3)
        async with listening(url, api.key, headers={"Last-Event-ID": str(seen)}) as listener:
            assert [(await listener.next()).data for _ in range(2)] == [{"n": 2}, {"n": 3}]
            hello = await listener.next()
            await append(api.parts, 4)
            last = await listener.next()
        assert (hello.event, last.data) == (HELLO, {"n": 4})
        async with listening(url, api.key, after=seen) as listener:
            assert [(await listener.next()).data for _ in range(3)] == [{"n": 2}, {"n": 3}, {"n": 4}]


async def test_it_resumes_after_the_hub_was_restarted(parts: Parts) -> None:
    key = await new_key(parts, Scope.STREAM_READ)
    await append(parts, 0)
    async with served(create_app(parts)) as url, listening(url, key) as listener:
        seen = (await listener.next()).id
    await append(parts, 1)
    again = Parts(
        **{name: getattr(parts, name) for name in Parts.__slots__} | {"stream": Stream(parts.database, parts.clock)}
    )
    async with served(create_app(again)) as url, listening(url, key, after=seen) as listener:
        assert (await listener.next()).data == {"n": 1}


async def test_only_the_kinds_asked_for(api: Api) -> None:
    async with served(api.app) as url, listening(url, api.key, kinds=["task", "device"]) as listener:
        await listener.next()
        await append(api.parts, 1, kind="alert")
        await append(api.parts, 2, kind="task")
        api.parts.stream.tell("position", "van-7", {"n": 3})
        await append(api.parts, 4, kind="device")
        assert [(await listener.next()).data for _ in range(2)] == [{"n": 2}, {"n": 4}]


async def test_positions_are_told_once_a_second_with_the_newest_of_each(api: Api) -> None:
    async with served(api.app) as url, listening(url, api.key) as listener:
        await listener.next()
        loop = asyncio.get_running_loop()
        api.parts.stream.tell("position", "van-1", {"n": 0})
        first, at = await listener.next(), loop.time()
        for n in range(1, 6):
            api.parts.stream.tell("position", "van-1", {"n": n})
            api.parts.stream.tell("position", "van-2", {"n": -n})
        second = await listener.next()
        assert (first.data, first.id) == ([{"n": 0}], None)
        assert second.data == [{"n": 5}, {"n": -5}]
        assert loop.time() - at > 0.5


async def test_a_commit_of_another_process_arrives(sqlite_database: Database, tmp_path: Path) -> None:
    other = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    mine, theirs = Stream(sqlite_database, SystemClock()), Stream(other, SystemClock())
    async with asyncio.TaskGroup() as group, asyncio.timeout(PATIENCE_S):
        running = group.create_task(mine.run())
        async with aclosing(mine.follow(None, None)) as updates:
            await anext(updates)
            async with other.write() as session:
                await theirs.append(session, "alert", {"n": 1})
            while not (found := await anext(updates)):
                pass
        assert json.loads(found[0].data) == {"n": 1}
        running.cancel()
    await other.close()


async def test_who_is_too_slow_is_told_so_and_delays_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_QUEUE", 3)
    stream = Stream(database, SystemClock())
    async with asyncio.TaskGroup() as group, asyncio.timeout(PATIENCE_S):
        running = group.create_task(stream.run())
        async with aclosing(stream.follow(None, None)) as slow, aclosing(stream.follow(None, None)) as quick:
            await anext(slow)
            await anext(quick)
            for n in range(8):
                async with database.write() as session:
                    await stream.append(session, "alert", {"n": n})
                while not (found := await anext(quick)):
                    pass
                assert [json.loads(update.data) for update in found] == [{"n": n}]
            late = await anext(slow)
        assert [update.kind for update in late] == [RESYNC, "alert", "alert", "alert"]
        assert [json.loads(update.data)["n"] for update in late[1:]] == [5, 6, 7]
        running.cancel()


async def test_what_was_pruned_asks_for_a_fresh_look(database: Database) -> None:
    clock = ManualClock()
    stream = Stream(database, clock)
    ids: list[int | None] = []
    for n in range(3):
        async with database.write() as session:
            await stream.append(session, "alert", {"n": n})
        async with aclosing(stream.follow(None, None)) as updates:
            ids.append((await anext(updates))[-1].id)
        clock.advance(timedelta(hours=13).total_seconds())
    await stream.prune()

    async def first(last_id: int | None) -> list[str]:
        async with aclosing(stream.follow(None, last_id)) as updates:
            return [update.kind for update in await anext(updates)]

    assert await first(ids[0]) == [RESYNC, HELLO]
    assert await first(ids[1]) == ["alert", HELLO]
    assert await first(ids[2]) == [HELLO]
    assert await first(2**40) == [RESYNC, HELLO]


async def test_concurrent_transactions_are_seen_in_order_and_whole(database: Database) -> None:
    """On PostgreSQL an id is given before its commit: an earlier one must not appear after a later one was read."""
    stream = Stream(database, SystemClock())
    async with asyncio.TaskGroup() as group, asyncio.timeout(PATIENCE_S):
        running = group.create_task(stream.run())
        async with aclosing(stream.follow(None, None)) as updates:
            await anext(updates)

            async def write(n: int) -> None:
                async with database.write() as session:
                    await stream.append(session, "alert", {"n": n})
                    await asyncio.sleep(0.001 * (n % 7))

            writing = asyncio.gather(*(write(n) for n in range(40)))
            seen: list[tuple[int | None, int]] = []
            while len(seen) < 40:
                seen += [(update.id, json.loads(update.data)["n"]) for update in await anext(updates)]
            await writing
        assert sorted(n for _, n in seen) == list(range(40))
        assert [event_id for event_id, _ in seen] == sorted(event_id for event_id, _ in seen if event_id)
        running.cancel()


async def test_a_revoked_key_is_cut_off(api: Api) -> None:
    made = (await api.post("/api/v1/api-keys", json={"name": "wall", "scopes": ["stream:read"]})).json()
    async with served(api.app) as url, listening(url, made["key"]) as listener:
        await listener.next()
        await api.delete(f"/api/v1/api-keys/{made['id']}")
        with pytest.raises(EOFError):
            await listener.next()


async def test_stopping_the_hub_ends_the_stream(api: Api) -> None:
    async with served(api.app) as url, listening(url, api.key) as listener:
        await listener.next()
        api.parts.stream.close()
        with pytest.raises(EOFError):
            await listener.next()


async def test_it_needs_the_scope(api: Api) -> None:
    mere = await api.with_scopes(Scope.TELEMETRY_READ)
    assert (await mere.get("/api/v1/stream")).status_code == 403
    assert (await api.without_key().get("/api/v1/stream")).status_code == 401
    assert (await api.get("/api/v1/stream", headers={"Last-Event-ID": "x"})).status_code == 422


class Gated:
    """A database whose readers wait until they are let through."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.on_commit = database.on_commit
        self.reading = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        async with self._database.read() as session:
            self.reading.set()
            await self.open.wait()
            yield session


async def test_the_last_client_may_leave_while_the_database_answers(sqlite_database: Database) -> None:
    gated = Gated(sqlite_database)
    stream = Stream(cast("Database", gated), SystemClock())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stream.run())
        client = stream.follow(None, None)
        await anext(client)
        gated.open.clear()
        gated.reading.clear()
        async with sqlite_database.write() as session:
            await stream.append(session, "alert", {"id": 1})
        await gated.reading.wait()
        await cast("AsyncGenerator[Any, None]", client).aclose()
        gated.open.set()
        again = stream.follow(None, 0)
        assert [update.kind for update in await anext(again)] == ["alert", HELLO]
        await cast("AsyncGenerator[Any, None]", again).aclose()
        running.cancel()
