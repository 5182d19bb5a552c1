"""One connection of a terminal: it registers, authenticates, reports, and is answered (JT/T 808 section 4.5)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from msgspec import Struct

from drivers.terminal.jt808.assembly import Assembly
from drivers.terminal.jt808.credentials import Credentials
from drivers.terminal.jt808.framing import Framer
from drivers.terminal.jt808.location import Location, read_batch, read_location
from drivers.terminal.jt808.messages import (
    Message,
    Registered,
    Registration,
    Result,
    Said,
    Speaker,
    read,
    read_answered,
    read_authentication,
    read_registration,
)
from protocol import logs
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError, UndecodableMessageError

_PIECE: Final = 16 * 1024
_STRANGER_S: Final = 30.0
_STRANGER_REFUSALS: Final = 5
_STRANGER_GARBAGE: Final = 100
_UNSENT_BYTES: Final = 64 * 1024
_ANSWER_S: Final = 10.0
_WAITING: Final = 64

log = logs.get(__name__)


class Heard(Struct, frozen=True):
    """What a terminal said: locations, or with none of them who it is. `live` ones are of now, the others were kept.

    `answer` tells the terminal that the box has it.
    """

    locations: tuple[Location, ...] = ()
    live: bool = False
    registration: Registration | None = None
    answer: Callable[[], None] | None = None


@dataclass(slots=True, eq=False)
class Member:
    """A terminal that is known, with the connection that it has now.

    `heard` is bounded: while the box takes nothing, nothing more is read of the connection, and the terminal keeps it.
    `refused` counts what was not understood or not wanted; `spoke_at` is monotonic.
    """

    phone: str
    credentials: Credentials
    silent_after_s: float
    clock: Clock
    spoke_at: float
    session: "Session | None" = None
    heard: asyncio.Queue[Heard] = field(default_factory=lambda: asyncio.Queue(_WAITING))
    refused: Counter[str] = field(default_factory=Counter)


class Session:
    """A connection from its first byte. `run` it; it returns when the connection is over, `end` ends it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        known: Callable[[str], Member | None],
    ) -> None:
        self._reader, self._writer, self._known = reader, writer, known
        self._framer, self._assembly = Framer(), Assembly()
        self._member: Member | None = None
        self._speaker: Speaker | None = None
        self._registration: Registration | None = None
        self._is_admitted = False
        self._refusals = 0
        self._asked: dict[int, asyncio.Future[Location]] = {}

    async def run(self) -> None:
        """Serve the terminal until it leaves, falls silent, or does not show who it is."""
        try:
            reason = await self._serve()
        except (OSError, TimeoutError) as error:
            reason = str(error) or "silent"
        finally:
            self._leave()
        if self._member is not None:
            log.info("terminal_left", phone=self._member.phone, reason=reason)

    def end(self) -> None:
        """Close the connection at once."""
        self._writer.transport.abort()

    async def ask_location(self) -> Location:
        """Ask the terminal where it is; raises DeviceUnreachableError when it does not answer within ten seconds."""
        if self._speaker is None:
            raise DeviceUnreachableError("the terminal has not said who it is")
        serial, question = self._speaker.where_are_you()
        answer: asyncio.Future[Location] = asyncio.get_running_loop().create_future()
        self._asked[serial] = answer
        self._say(question)
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await answer
        except TimeoutError as error:
            raise DeviceUnreachableError("the terminal does not answer") from error
        finally:
            del self._asked[serial]

    async def _serve(self) -> str:
        """Return why it is over."""
        while messages := await self._messages():
            for raw in messages:
                try:
                    message = read(raw)
                except UndecodableMessageError as error:
                    self._refuse("malformed", error.reason)
                    continue
                if not self._introduce(message):
                    return f"unknown terminal {message.phone}"
                await self._take(message)
                if self._is_admitted and self._member and self._member.session is not self:
                    return "it has connected anew"
            self._tally()
            if not self._is_admitted and self._refusals >= _STRANGER_REFUSALS:
                return "it does not authenticate"
        return "it hung up"

    async def _messages(self) -> list[bytes]:
        """Return the next whole messages, none at the end. Single bytes now and then do not keep a connection."""
        async with asyncio.timeout(self._member.silent_after_s if self._is_admitted and self._member else _STRANGER_S):
            while piece := await self._reader.read(_PIECE):
                if messages := self._framer.feed(piece):
                    return messages
                if not self._is_admitted and self._framer.bad_checksum + self._framer.malformed > _STRANGER_GARBAGE:
                    raise OSError("it does not speak JT/T 808")
        return []

    def _introduce(self, message: Message) -> bool:
        """Learn who it is from its first message; return whether we know it, and it remains who it was."""
        if self._member is None:
            self._member = self._known(message.phone)
            self._speaker = Speaker(message.phone, revised=message.revised)
        return self._member is not None and self._member.phone == message.phone

    async def _take(self, message: Message) -> None:
        if message.encrypted:
            self._refuse("encrypted", "encrypted")
            self._answer(message, Result.UNSUPPORTED)
            return
        whole = self._assembly.add(message, self._who.clock.monotonic())
        if whole is None:
            self._answer(message, Result.DONE)
            return
        try:
            await self._obey(whole)
        except UndecodableMessageError as error:
            self._refuse("malformed", error.reason)
            self._answer(whole, Result.WRONG)

    async def _obey(self, message: Message) -> None:
        match message.id:
            case Said.REGISTRATION:
                self._register(message)
            case Said.AUTHENTICATION:
                await self._authenticate(message)
            case _ if not self._is_admitted:
                self._refuse("unauthenticated", f"message {message.id:#06x} before authentication")
                self._answer(message, Result.FAILED)
            case _:
                self._who.spoke_at = self._who.clock.monotonic()
                await self._listen(message)

    async def _listen(self, message: Message) -> None:
        match message.id:
            case Said.LOCATION:
                await self._hear(message, (read_location(message.body),), live=True)
            case Said.LOCATION_BATCH:
                await self._hear(message, tuple(read_batch(message)), live=False)
            case Said.LOCATION_ANSWER:
                serial, body = read_answered(message)
                if (question := self._asked.get(serial)) and not question.done():
                    question.set_result(read_location(body))
            case Said.HEARTBEAT | Said.SIGN_OFF:
                self._answer(message, Result.DONE)
            case Said.TIME_QUERY:
                self._say(self._voice.time(self._who.clock.now()))
            case Said.GENERAL_ANSWER:
                pass
            case _:
                self._refuse("unsupported", f"message {message.id:#06x}")
                self._answer(message, Result.UNSUPPORTED)

    def _register(self, message: Message) -> None:
        registration = read_registration(message)
        code = self._who.credentials.register(registration)
        if code is None:
            self._refuse("unauthenticated", "another unit registers with its number")
            self._say(self._voice.registered(message.serial, Registered.NO_SUCH_TERMINAL))
            return
        self._registration = registration
        self._say(self._voice.registered(message.serial, Registered.DONE, code))

    async def _authenticate(self, message: Message) -> None:
        member = self._who
        if not member.credentials.admits(read_authentication(message)):
            self._refuse("unauthenticated", "a wrong code")
            self._answer(message, Result.FAILED)
            return
        earlier, member.session = member.session, self
        if earlier is not None and earlier is not self:
            earlier.end()  # a terminal that reconnects has lost the connection that we still see
        self._is_admitted = True
        member.spoke_at = member.clock.monotonic()
        self._answer(message, Result.DONE)
        await member.heard.put(Heard(registration=self._registration))

    async def _hear(self, message: Message, locations: tuple[Location, ...], *, live: bool) -> None:
        answer = partial(self._answer, message, Result.DONE)
        await self._who.heard.put(Heard(locations, live=live, answer=answer))

    @property
    def _who(self) -> Member:
        assert self._member is not None  # noqa: S101 - introduced before anything is taken
        return self._member

    @property
    def _voice(self) -> Speaker:
        assert self._speaker is not None  # noqa: S101 - introduced before anything is answered
        return self._speaker

    def _answer(self, message: Message, result: Result) -> None:
        self._say(self._voice.answer(message.serial, message.id, result))

    def _say(self, frame: bytes) -> None:
        """Send; a terminal that does not read is cut off rather than kept in memory."""
        if self._writer.transport.get_write_buffer_size() > _UNSENT_BYTES:
            self.end()
        elif not self._writer.is_closing():
            self._writer.write(frame)

    def _refuse(self, count: str, reason: str) -> None:
        self._refusals += 1
        if self._member is None:
            return
        self._member.refused[count] += 1
        if self._refusals == 1:
            log.warning("terminal_refused", phone=self._member.phone, reason=reason)

    def _tally(self) -> None:
        """Charge what the connection counted to the terminal, once it is known."""
        if self._member is not None:
            framer, assembly = self._framer, self._assembly
            self._member.refused.update(
                bad_checksum=framer.bad_checksum, malformed=framer.malformed, incomplete=assembly.dropped
            )
            framer.bad_checksum = framer.malformed = assembly.dropped = 0

    def _leave(self) -> None:
        self._tally()
        if self._member is not None and self._member.session is self:
            self._member.session = None
        for question in self._asked.values():
            if not question.done():
                question.set_exception(DeviceUnreachableError("the terminal has left"))
        with suppress(RuntimeError):  # the loop is already gone
            self._writer.close()
