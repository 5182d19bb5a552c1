"""The port at which terminals call: one for all devices of this process that name the same address."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple

from drivers.sharing import Shared
from drivers.terminal.jt808.session import Member, Session
from protocol import logs
from protocol.errors import ConfigurationError, DeviceUnreachableError

_MOST_CONNECTIONS: Final = 512
_BUFFER: Final = 16 * 1024

log = logs.get(__name__)


class Address(NamedTuple):
    """Where the box listens."""

    host: str
    port: int


class Listener:
    """Receives connections, and knows the terminals that may call."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._is_closed = False
        self._strangers = 0

    @contextmanager
    def admitting(self, member: Member) -> Iterator[None]:
        """Let this terminal call; on leaving, its connection is closed. Raises ConfigurationError for a second one."""
        if member.phone in self._members:
            raise ConfigurationError(f"two devices have the telephone number {member.phone}")
        self._members[member.phone] = member
        try:
            yield
        finally:
            del self._members[member.phone]
            if member.session is not None:
                member.session.end()

    def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin a session. One too many is closed: a box has some tens of terminals, not hundreds."""
        if self._is_closed:  # accepted in the moment of closing
            writer.transport.abort()
            return
        if len(self._sessions) >= _MOST_CONNECTIONS:
            log.warning("too_many_terminals", connections=len(self._sessions))
            writer.transport.abort()
            return
        session = Session(reader, writer, self._known)
        # Not of a group: the listener belongs to several devices, and outlives the task that opened it.
        task = asyncio.get_running_loop().create_task(session.run(), name="terminal session")
        self._sessions[task] = session
        task.add_done_callback(self._ended)

    def _known(self, phone: str) -> Member | None:
        member = self._members.get(phone)
        if member is None:
            self._strangers += 1
            if self._strangers.bit_count() == 1:  # the 1st, 2nd, 4th, 8th …: whoever calls for ever fills no log
                log.warning("terminal_unknown", phone=phone, times=self._strangers)
        return member

    async def close(self) -> None:
        """End all sessions, and begin none any more."""
        self._is_closed = True
        ending = tuple(self._sessions)
        for task in ending:
            self._sessions[task].end()
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sessions[task]
        if not task.cancelled() and (error := task.exception()):
            log.error("terminal_session_failed", exc_info=error)


@asynccontextmanager
async def _listening(address: Address) -> AsyncIterator[Listener]:
    listener = Listener()
    try:
        server = await asyncio.start_server(listener.welcome, address.host, address.port, limit=_BUFFER)
    except OSError as error:
        reason = "the port is taken" if error.errno == errno.EADDRINUSE else str(error)
        raise DeviceUnreachableError(f"cannot listen on {address.host}:{address.port}: {reason}") from error
    try:
        yield listener
    finally:
        server.close()
        await listener.close()


listeners: Final = Shared(_listening)
"""The listeners of this process, by address."""
