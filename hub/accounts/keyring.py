"""Telling who calls, cheaply: a key that was just checked is not looked up again for a few seconds."""

import asyncio
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.accounts import repository
from hub.accounts.issuing import digest
from hub.accounts.model import ApiKeyRow
from hub.accounts.scopes import Scope
from hub.accounts.throttle import Throttle
from hub.storage.database import Database
from protocol import logs
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError

log = logs.get(__name__)

USES_SAVED_EVERY_S: Final = 30.0
TRUSTED_FOR_S: Final = 4.0
"""A key revoked elsewhere is refused within this time; one revoked in this process is refused at once."""

_REMEMBERED: Final = 1024
_WRONG_TOKENS: Final = 5
_KEY = re.compile(r"dw_([0-9a-f]{12})_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: a key, or a person's session opened with one."""

    key_id: str
    name: str
    scopes: frozenset[str]
    session: bytes | None = field(default=None, repr=False)
    """The digest of the session's cookie; None for a key that is sent itself."""

    def may(self, scope: Scope) -> bool:
        """Tell whether the key has the scope; `admin` has every one."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


def looks_like_key(secret: str) -> bool:
    """Tell whether a text has the shape of a key, `dw_<id>_<secret>`."""
    return _KEY.fullmatch(secret) is not None


class KeyRing:
    """The keys and sessions of one hub process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Caller, float, datetime | None]] = OrderedDict()
        self._uses: dict[str, datetime] = {}
        self._throttle = Throttle(clock)
        self.setup_tokens = Throttle(clock, same=_WRONG_TOKENS, different=_WRONG_TOKENS, what="set-up tokens")
        """Slows down who tries set-up tokens: after five wrong ones within a minute everybody there has to wait."""

    async def caller_offering(self, secret: str, address: str) -> Caller | None:
        """Return who holds this key, which came from a network address; None when it is unknown, expired or revoked.

        Raises RefusedRequestError (429) when too many wrong keys came from there. Who was let in a moment ago is not
        shut out by others at the same address.
        """
        offered = digest(secret)
        if known := self._remembered(offered):
            return known
        self._throttle.require(address, offered)
        caller = await self.caller_with_key(secret)
        if caller is None:
            self._throttle.wrong(address, offered)
        return caller

    async def caller_with_key(self, secret: str) -> Caller | None:
        """Return who holds this key; None when it is unknown, expired or revoked."""
        shape = _KEY.fullmatch(secret)
        if shape is None:
            return None
        stored = digest(secret)
        if known := self._remembered(stored):
            return known
        async with self._database.read() as session:
            row = await repository.find(session, shape[1])
        if row is None or not hmac.compare_digest(row.digest, stored):
            return None
        return self._accepted(stored, row, row.expires_at)

    async def caller_with_session(self, cookie: str) -> Caller | None:
        """Return who holds this session cookie; None when it is over or its key is."""
        stored = digest(cookie)
        if known := self._remembered(stored):
            return known
        async with self._database.read() as session:
            found = await repository.key_of_session(session, stored)
        if found is None:
            return None
        row, session_ends = found
        return self._accepted(stored, row, min(session_ends, row.expires_at or session_ends), session=stored)

    async def alive(self, caller: Caller) -> bool:
        """Tell whether the key or session of a long-lasting request still stands; asks the database."""
        async with self._database.read() as session:
            if caller.session is None:
                row, ends = await repository.find(session, caller.key_id), None
            else:
                row, ends = await repository.key_of_session(session, caller.session) or (None, None)
        return row is not None and row.revoked_at is None and not self._past(row.expires_at) and not self._past(ends)

    def forget(self) -> None:
        """Look every key and session up anew: one was revoked or closed."""
        self._known.clear()

    async def run(self) -> None:
        """Write down now and then when keys were last used, so that a request need not write, until cancelled."""
        while True:
            await asyncio.sleep(USES_SAVED_EVERY_S)
            try:
                await self.save_uses()
            except StoreUnavailableError as error:
                log.warning("key_uses_wait_for_store", reason=str(error))

    async def save_uses(self) -> None:
        """Write down when keys were last used. Raises StoreUnavailableError; what was to be written is kept."""
        uses = dict(self._uses)
        if uses:
            async with self._database.write() as session:
                await repository.note_uses(session, uses)
        for key_id, at in uses.items():
            if self._uses.get(key_id) == at:
                del self._uses[key_id]

    def _remembered(self, stored: bytes) -> Caller | None:
        known = self._known.get(stored)
        if known is None:
            return None
        caller, until, ends = known
        if self._clock.monotonic() >= until or self._past(ends):
            del self._known[stored]
            return None
        self._uses[caller.key_id] = self._clock.now()
        return caller

    def _accepted(
        self, stored: bytes, row: ApiKeyRow, ends: datetime | None, *, session: bytes | None = None
    ) -> Caller | None:
        if row.revoked_at is not None or self._past(ends):
            return None
        caller = Caller(row.id, row.name, frozenset(row.scopes), session)
        self._known[stored] = (caller, self._clock.monotonic() + TRUSTED_FOR_S, ends)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        self._uses[row.id] = self._clock.now()
        return caller

    def _past(self, ends: datetime | None) -> bool:
        return ends is not None and self._clock.now() >= ends
