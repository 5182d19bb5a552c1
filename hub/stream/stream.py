"""The live stream of one hub process: reads committed updates once, and hands them to every client that follows.

    await stream.append(session, "alert", {"id": …, "state": …})    # in the transaction of the fact, as its last act
    stream.tell("position", "g1/van-7", {"device": …, "at": …})     # not stored: only the newest per key, once a second

Kinds: `alert`, `anomaly`, `certificate`, `complaint`, `config`, `device`, `enrolment`, `gateway`, `task` are appended;
`position` is told.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.storage.database import Database
from hub.stream import repository
from hub.stream.model import StreamEventRow
from protocol import logs
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError

log = logs.get(__name__)

KEPT_FOR: Final = timedelta(days=1)
TOLD_EVERY_S: Final = 1.0
OTHERS_COMMIT_S: Final = 1.0
"""How long a commit of another process may stay unseen: nothing wakes this one for it."""

BEAT_S: Final = 1.5
"""A client that follows is looked after this often: is its key still good?"""

HELLO: Final = "hello"
RESYNC: Final = "resync"
_PAGE: Final = 500
_CATCH_UP: Final = 5_000
_QUEUE: Final = 256


@dataclass(frozen=True, slots=True)
class Update:
    """One message to clients, serialised once. `id` is None for what is not stored."""

    kind: str
    data: str
    id: int | None = None


class _Follower:
    """One client's queue. When it is full the oldest go, and the client is told to read the state anew."""

    def __init__(self, kinds: frozenset[str] | None) -> None:
        self._kinds = kinds
        self._waiting: deque[Update] = deque()
        self._wake = asyncio.Event()
        self._lost = False

    def put(self, update: Update) -> None:
        """Take one update, if this client asked for its kind."""
        if self._kinds is not None and update.kind not in self._kinds:
            return
        if len(self._waiting) >= _QUEUE:
            self._waiting.popleft()
            self._lost = True
        self._waiting.append(update)
        self._wake.set()

    def wake(self) -> None:
        """Return from `take` now."""
        self._wake.set()

    async def take(self) -> list[Update]:
        """Return what waits, at the latest after BEAT_S; the first is `resync` when some were dropped."""
        try:
            async with asyncio.timeout(BEAT_S):
                await self._wake.wait()
        except TimeoutError:
            return []
        self._wake.clear()
        updates = [Update(RESYNC, "{}"), *self._waiting] if self._lost else list(self._waiting)
        self._lost = False
        self._waiting.clear()
        return updates


class Stream:
    """Live updates: appended ones survive and can be resumed, told ones are only for who is listening now."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._followers: set[_Follower] = set()
        self._committed = asyncio.Event()
        self._told = asyncio.Event()
        self._pending: dict[str, dict[str, Any]] = {}
        self._carried: int | None = None
        self._closed = False
        database.on_commit(self._committed.set)

    async def append(self, session: AsyncSession, kind: str, data: dict[str, Any]) -> None:
        """Add an update to the caller's transaction; clients get it after the commit."""
        await self.append_all(session, [(kind, data)])

    async def append_all(self, session: AsyncSession, updates: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Add updates, each a kind and its data, to the caller's transaction, in their order."""
        await repository.append(session, self._clock.now(), updates)

    def tell(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """Offer the newest state of `key` to who listens; older ones of the same second are replaced.

        Clients get one message per kind and second, whose data is the list of what changed.
        """
        if self._followers:
            self._pending.setdefault(kind, {})[key] = data
            self._told.set()

    async def follow(self, kinds: frozenset[str] | None, last_id: int | None) -> AsyncGenerator[list[Update], None]:
        """Yield `hello`, what followed `last_id`, then what happens from now on; an empty list at least every BEAT_S.

        `hello` carries the id of the newest update that is stored. A `resync` says that some were missed, because they
        are pruned or too many or the client is too slow: read the state anew. Ends when the stream closes.
        """
        with self._following(kinds) as follower:
            missed, seen = await self._missed(kinds, last_id)
            if self._carried is None:
                self._carried = seen
            yield [*missed, Update(HELLO, "{}", seen)]
            while not self._closed:
                yield [each for each in await follower.take() if each.id is None or each.id > seen]

    async def run(self) -> None:
        """Carry updates to the clients of this process until cancelled."""
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._carry_committed(), name="stream-committed")
            parts.create_task(self._carry_told(), name="stream-told")

    def close(self) -> None:
        """End every client's stream: the process stops."""
        self._closed = True
        for follower in self._followers:
            follower.wake()

    async def prune(self) -> None:
        """Delete updates older than a day."""
        async with self._database.write() as session:
            await repository.forget(session, self._clock.now() - KEPT_FOR)

    @contextmanager
    def _following(self, kinds: frozenset[str] | None) -> Iterator[_Follower]:
        follower = _Follower(kinds)
        self._followers.add(follower)
        self._committed.set()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._carried = None

    async def _missed(self, kinds: frozenset[str] | None, last_id: int | None) -> tuple[list[Update], int]:
        async with self._database.read() as session:
            newest = await repository.newest(session)
            if last_id is None:
                return [], newest
            oldest = await repository.oldest(session)
            rows = await repository.between(session, last_id, newest, _CATCH_UP + 1, kinds)
        if oldest > last_id + 1 or last_id > newest or len(rows) > _CATCH_UP:
            return [Update(RESYNC, "{}")], newest
        return [_update(row) for row in rows], newest

    async def _carry_committed(self) -> None:
        while True:
            self._committed.clear()
            try:
                while await self._carry_page() == _PAGE:
                    pass
            except StoreUnavailableError as error:
                log.warning("stream_waits_for_store", reason=str(error))
            try:
                async with asyncio.timeout(OTHERS_COMMIT_S if self._followers else None):
                    await self._committed.wait()
            except TimeoutError:
                continue

    async def _carry_page(self) -> int:
        """Hand out the next committed updates; return how many there were."""
        carried = self._carried  # the last client may leave while the database answers
        if carried is None:
            return 0
        async with self._database.read() as session:
            rows = await repository.after(session, carried, _PAGE)
        for row in rows:
            self._hand_out(_update(row))
            if self._carried is not None:
                self._carried = max(self._carried, row.id)
        return len(rows)

    async def _carry_told(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            pending, self._pending = self._pending, {}
            for kind, latest in pending.items():
                self._hand_out(Update(kind, json.dumps(list(latest.values()), ensure_ascii=False)))
            await asyncio.sleep(TOLD_EVERY_S)

    def _hand_out(self, update: Update) -> None:
        for follower in self._followers:
            follower.put(update)


def _update(row: StreamEventRow) -> Update:
    return Update(row.kind, json.dumps(row.data, ensure_ascii=False), row.id)
