"""A vehicle's or handheld terminal as the agent sees it: positions, alarms that begin and end, and how it does."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from drivers.contract import Answer, Health, Report
from drivers.episodes import Episodes
from drivers.terminal.jt808.credentials import Credentials
from drivers.terminal.jt808.listener import Address, listeners
from drivers.terminal.jt808.location import ALARMS, Location
from drivers.terminal.jt808.options import Jt808Options
from drivers.terminal.jt808.session import Heard, Member
from protocol.clock import Clock
from protocol.datums import Datum
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Event, EventState, Position, Reading, Value

CLOCK_OFF: Final = "clock_off"
_CLOCK_TOLERANCE: Final = timedelta(minutes=10)
_RECENT: Final = 4096
# Where positions are thinned, one that the box keeps to itself is never released: terminals wait some seconds for their
# answer and then send again.
_ANSWER_AT_LATEST_S: Final = 2.0


class Terminal:
    """An open terminal: `Reports`, `Obeys` and `Releases`.

    It hears that the box has what it said once that is on the disk; what is not confirmed it keeps and sends again, and
    what it sends again is told once. Its only command, `locate`, asks it where it is now.
    """

    commands = frozenset({"locate"})

    def __init__(self, device: str, member: Member, options: Jt808Options, clock: Clock, folder: Path) -> None:
        self.device = device
        self._member, self._options, self._clock = member, options, clock
        self._datum = Datum(options.datum)
        self._episodes = Episodes(folder / "episodes.json", device, clock)
        self._told = self._safe = 0
        self._when_safe: deque[tuple[int, Callable[[], None]]] = deque()
        self._recent: OrderedDict[Location, None] = OrderedDict()
        self._latest: datetime | None = None
        self._values: dict[str, Value] = {}
        self._values_at: datetime | None = None
        self._fixed_at = self._counted_at = clock.monotonic()
        self._is_degraded = False

    async def reports(self) -> AsyncIterator[Report | Health]:
        """Yield what the terminal says; raises DeviceUnreachableError once it has been silent for too long."""
        for event in self._episodes.untold():
            yield self._event(event)
        while True:
            heard = await self._next()
            if heard is not None:
                for said in self._tell(heard):
                    yield said
                if heard.answer:
                    self._owe(heard.answer)
            if news := self._without_fix():
                yield news
            if self._elapsed(self._counted_at) >= self._options.counters_every_s:
                self._counted_at = self._clock.monotonic()
                yield self._report(self._counters())

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if name not in self.commands:
            raise DeviceRefusedError(f"a terminal does not know {name!r}")
        if args:
            raise DeviceRefusedError(f"{name} takes no arguments, got {', '.join(sorted(args))}")
        if self._member.session is None:
            raise DeviceUnreachableError("the terminal is not connected")
        location = await self._member.session.ask_location()
        if (reason := self._no_fix(location)) is not None:
            raise DeviceRefusedError(reason)
        position = location.position(self.device, self._flags(location, live=True), self._datum)
        return Answer({"position": msgspec.to_builtins(position)}, (Report(position),))

    def release(self, count: int) -> None:
        self._safe = max(self._safe, count)
        while self._when_safe and self._when_safe[0][0] <= self._safe:
            self._when_safe.popleft()[1]()

    async def _next(self) -> Heard | None:
        """Return what is heard next, or None when something else is due first."""
        now = self._clock.monotonic()
        deadlines = [
            self._member.spoke_at + self._options.silent_after_s,
            self._counted_at + self._options.counters_every_s,
        ]
        if not self._is_degraded:
            deadlines.append(self._fixed_at + self._options.no_fix_after_s)
        try:
            async with asyncio.timeout(max(0.0, min(deadlines) - now)):
                return await self._member.heard.get()
        except TimeoutError:
            if self._elapsed(self._member.spoke_at) >= self._options.silent_after_s:
                raise DeviceUnreachableError(f"the terminal {self._member.phone} is silent") from None
            return None

    def _tell(self, heard: Heard) -> Iterator[Report | Health]:
        if heard.registration:
            said = {name: text for name, text in msgspec.structs.asdict(heard.registration).items() if text}
            if said:
                yield self._report(Reading(device=self.device, at=self._clock.now(), values=said))
        if not heard.locations and not self._is_degraded:
            yield Health(DeviceState.OK)
        for location in heard.locations:
            yield from self._located(location, live=heard.live)

    def _located(self, location: Location, *, live: bool) -> Iterator[Report | Health]:
        if location in self._recent:
            self._member.refused["repeated"] += 1
            return
        self._recent[location] = None
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        is_latest = live and (self._latest is None or location.at >= self._latest)
        if self._no_fix(location) is None:
            yield from self._found(location, live=live)
        else:
            self._member.refused["scrambled" if location.is_scrambled else "no_fix"] += 1
        if values := self._new_values(location):
            yield self._report(Reading(device=self.device, at=location.at, values=values))
        if is_latest:
            if (
                location.at <= self._clock.now() + _CLOCK_TOLERANCE
            ):  # a clock that is ahead must not outdo later reports
                self._latest = location.at
            yield from self._alarms(location)

    def _found(self, location: Location, *, live: bool) -> Iterator[Report | Health]:
        if live:
            self._fixed_at = self._clock.monotonic()
            if self._is_degraded:
                self._is_degraded = False
                yield Health(DeviceState.OK)
        yield self._report(location.position(self.device, self._flags(location, live=live), self._datum))

    def _alarms(self, location: Location) -> Iterator[Report]:
        for bit, (kind, severity) in ALARMS.items():
            is_on, is_open = bool(location.alarms & 1 << bit), kind in self._episodes.open_types
            if is_on != is_open:
                state = EventState.BEGAN if is_on else EventState.ENDED
                if event := self._episodes.happened(kind, state, severity, location.at):
                    yield self._event(event)

    def _new_values(self, location: Location) -> dict[str, Value]:
        """Return what it says beside the place: all now and then, in between what is no number and has changed."""
        values = location.values()
        is_due = self._values_at is None or abs(location.at - self._values_at) >= timedelta(
            seconds=self._options.values_every_s
        )
        changed = {
            name: value
            for name, value in values.items()
            if is_due or (not isinstance(value, float) and self._values.get(name) != value)
        }
        self._values |= changed
        if is_due:
            self._values_at = location.at
        return changed

    def _no_fix(self, location: Location) -> str | None:
        """Return why this is no place on earth, None if it is one."""
        if location.is_scrambled and self._datum == Datum.WGS84:
            return "its coordinates are scrambled by a security plug-in, not WGS-84: set `datum`"
        if not location.is_located or location.latitude == location.longitude == 0:
            return "the terminal has no fix"
        return None

    def _flags(self, location: Location, *, live: bool) -> tuple[str, ...]:
        is_off = live and abs(location.at - self._clock.now()) > _CLOCK_TOLERANCE
        return (CLOCK_OFF,) if is_off else ()

    def _without_fix(self) -> Health | None:
        if self._is_degraded or self._elapsed(self._fixed_at) < self._options.no_fix_after_s:
            return None
        self._is_degraded = True
        return Health(DeviceState.DEGRADED, f"no valid fix for {self._options.no_fix_after_s:g} s")

    def _counters(self) -> Reading:
        counts: dict[str, Value] = {name: float(count) for name, count in self._member.refused.items()}
        return Reading(device=self.device, at=self._clock.now(), values={"connected": self._is_connected, **counts})

    @property
    def _is_connected(self) -> bool:
        return self._member.session is not None

    def _event(self, event: Event) -> Report:
        report = self._report(event)
        self._when_safe.append((self._told, partial(self._episodes.settle, event)))
        return report

    def _report(self, record: Position | Reading | Event) -> Report:
        self._told += 1
        return Report(record)

    def _owe(self, answer: Callable[[], None]) -> None:
        """Answer when everything told so far is safe, and once only."""
        owed = [answer]

        def pay() -> None:
            if owed:
                owed.pop()()

        if self._told <= self._safe:
            pay()
            return
        self._when_safe.append((self._told, pay))
        asyncio.get_running_loop().call_later(_ANSWER_AT_LATEST_S, pay)

    def _elapsed(self, since: float) -> float:
        return self._clock.monotonic() - since


@asynccontextmanager
async def open_terminal(device: str, options: Jt808Options, clock: Clock, folder: Path) -> AsyncIterator[Terminal]:
    """Listen for the terminal's call. Raises DeviceUnreachableError when the port cannot be had."""
    credentials = Credentials(folder, options.terminal_id)
    member = Member(options.phone.lstrip("0"), credentials, options.silent_after_s, clock, clock.monotonic())
    async with listeners.borrowed(Address(options.host, options.port)) as listener:
        with listener.admitting(member):
            yield Terminal(device, member, options, clock, folder)
