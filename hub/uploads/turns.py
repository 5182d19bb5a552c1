"""Whose turn it is to bring bytes: the newest connection's. An older one is half open at best, and is ended."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from hub.uploads.digests import Digests
from protocol.errors import RefusedRequestError

_REMEMBERED: Final = 256


class Turn:
    """One request's turn at an upload."""

    def __init__(self) -> None:
        self._over = False
        self._patience: asyncio.Timeout | None = None

    def end(self) -> None:
        """Let a newer request have its turn: whatever this one waits for, it waits no longer."""
        self._over = True
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())

    def require(self) -> None:
        """Raise RefusedRequestError (409) when a newer request has come."""
        if self._over:
            raise RefusedRequestError("uploads.superseded", "a newer request goes on with this upload")

    async def next(self, pieces: AsyncIterator[bytes], silence_s: float) -> bytes | None:
        """Return the next bytes of a body, None at its end.

        Raises RefusedRequestError: 409 when a newer request comes meanwhile, 408 when none come for `silence_s`.
        """
        self.require()
        try:
            async with asyncio.timeout(silence_s) as self._patience:
                return await anext(pieces, None)
        except TimeoutError as error:
            self.require()
            raise RefusedRequestError("uploads.silent", f"no byte for {silence_s:g} s", status=408) from error
        finally:
            self._patience = None


class Slot:
    """What this process remembers of an upload: who works on it, and the hashes of what it has appended."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.turns: list[Turn] = []
        self.digests: Digests | None = None


class Turns:
    """The turns at every upload of this process."""

    def __init__(self) -> None:
        self._slots: OrderedDict[UUID, Slot] = OrderedDict()

    @asynccontextmanager
    async def newest(self, upload_id: UUID) -> AsyncIterator[tuple[Turn, Slot]]:
        """Have the turn at an upload, once those who had it before are through. Raises as `Turn.require`."""
        slot = self._slots.setdefault(upload_id, Slot())
        self._slots.move_to_end(upload_id)
        turn = Turn()
        for earlier in slot.turns:
            earlier.end()
        slot.turns.append(turn)
        try:
            async with slot.lock:
                turn.require()
                yield turn, slot
        finally:
            slot.turns.remove(turn)
            self._forget_the_oldest()

    def forget(self, upload_id: UUID) -> None:
        """Drop what is remembered of an upload that is over."""
        slot = self._slots.get(upload_id)
        if slot is not None:
            slot.digests = None

    def _forget_the_oldest(self) -> None:
        """Keep what is remembered small; hashes that are forgotten are read from the disk again."""
        idle = [each for each, slot in self._slots.items() if not slot.turns]
        for upload_id in idle[: max(0, len(self._slots) - _REMEMBERED)]:
            del self._slots[upload_id]
