"""The port at which terminals call: one for all devices of this process that name the same address."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final, NamedTuple

from drivers.sharing import Shared
from drivers.terminal.jt808.session import Member, Session
from protocol import logs
from protocol.errors import ConfigurationError, DeviceUnreachableError

_MOST_CONNECTIONS: Final = 512
_BUFFER: Final = 16 * 1024
_BACKLOG: Final = 64
_PAUSE_S: Final = 0.2

log = logs.get(__name__)


class Address(NamedTuple):
    """Where the box listens: an address of its own, or the one that means all."""

    host: str
    port: int


class Listener:
    """Receives connections, and knows the terminals that may call."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._sessions: dict[asyncio.Task[None], Session | None] = {}
        self._ear: socket.socket | None = None
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

    def listen(self, ear: socket.socket) -> None:
        """Begin a session with whoever calls, until `close`."""
        self._ear = ear
        asyncio.get_running_loop().add_reader(ear, self._accept)

    def _known(self, phone: str) -> Member | None:
        member = self._members.get(phone)
        if member is None:
            self._strangers += 1
            if self._strangers.bit_count() == 1:  # the 1st, 2nd, 4th, 8th …: whoever calls for ever fills no log
                log.warning("terminal_unknown", phone=phone, times=self._strangers)
        return member

    async def close(self) -> None:
        """Listen no more, and end all sessions."""
        ear, self._ear = self._ear, None
        if ear is not None:
            asyncio.get_running_loop().remove_reader(ear)
        ending = tuple(self._sessions)
        for task in ending:
            if (session := self._sessions[task]) is not None:
                session.end()
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        ear = self._ear
        if ear is None:
            return
        try:
            connection, _ = ear.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # gone again already
        except OSError as error:  # the box has no descriptor to spare
            log.warning("terminal_not_accepted", reason=str(error))
            loop.remove_reader(ear)
            loop.call_later(_PAUSE_S, self._go_on)
            return
        if len(self._sessions) >= _MOST_CONNECTIONS:  # a box has some tens of terminals, not hundreds
            log.warning("too_many_terminals", connections=len(self._sessions))
            connection.close()
            return
        # Not of a group: the listener belongs to several devices, and outlives the task that opened it.
        task = loop.create_task(self._serve(connection), name="terminal session")
        self._sessions[task] = None
        task.add_done_callback(partial(self._ended, connection))

    def _go_on(self) -> None:
        if self._ear is not None:
            asyncio.get_running_loop().add_reader(self._ear, self._accept)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=_BUFFER)
        session = Session(reader, writer, self._known)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        self._sessions[task] = session
        await session.run()

    def _ended(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        if self._sessions.pop(task) is None:
            connection.close()  # it never began
        if not task.cancelled() and (error := task.exception()):
            log.error("terminal_session_failed", exc_info=error)


@asynccontextmanager
async def _listening(address: Address) -> AsyncIterator[Listener]:
    listener = Listener()
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        ear = socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = "the port is taken" if error.errno == errno.EADDRINUSE else str(error)
        raise DeviceUnreachableError(f"cannot listen on {address.host}:{address.port}: {reason}") from error
    with ear:
        ear.setblocking(False)  # noqa: FBT003 - the standard library's
        # Not asyncio's own server: on Python 3.11 that forgets a connection which it accepts while it is being closed.
        listener.listen(ear)
        try:
            yield listener
        finally:
            await listener.close()


listeners: Final = Shared(_listening)
"""The listeners of this process, by address."""
