"""An open GPS unit: bytes in, positions, raw epochs, health and counters out."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import msgspec

from drivers.contract import Answer, Health, Raw, Report
from drivers.gps.epochs import Epoch, Grouper
from drivers.gps.fix import heard
from drivers.gps.languages import Language
from drivers.gps.options import GpsOptions, Recording
from drivers.gps.positions import Positions
from drivers.gps.vigil import Vigil
from drivers.lines import Line
from protocol.clock import Clock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import Position, Reading, Value


class Receiver:
    """A `Reports` and `Obeys` driver: its only command, `locate`, answers with the latest fix.

    Each epoch is yielded as `Raw`, the sentences as they came, and after it as a `Position` when it has a valid fix. A
    position's time is the satellites' time, not the box's.
    """

    commands = frozenset({"locate"})

    def __init__(self, device: str, source: Line, language: Language, options: GpsOptions, clock: Clock) -> None:
        self.device = device
        self._source = source
        self._language = language
        self._clock = clock
        self._grouper = Grouper()
        self._positions = Positions(device)
        self._vigil = Vigil(options, clock)
        self._as_now = isinstance(options.source, Recording) and options.source.as_now
        self._shift: timedelta | None = None
        self._latest: Position | None = None
        self._satellites = 0

    async def reports(self) -> AsyncIterator[Report | Health | Raw]:
        """Yield what the unit says; ends with the end of a recording.

        Raises DeviceUnreachableError when the line breaks or falls silent, after what was said before that.
        """
        lost: DeviceUnreachableError | None = None
        while True:
            try:
                piece = await self._piece()
            except DeviceUnreachableError as error:
                piece, lost = b"", error
            for epoch in self._epochs(piece):
                yield Raw(epoch.raw)
                for said in self._judge(epoch):
                    yield said
            if news := self._vigil.overdue(self._positions.reason, self._satellites):
                yield news
            if self._vigil.counters_due() or piece == b"":
                yield Report(self._counters())
            if lost:
                raise lost
            if piece == b"":
                return

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if name not in self.commands:
            raise DeviceRefusedError(f"a GPS unit does not know {name!r}")
        if args:
            raise DeviceRefusedError(f"{name} takes no arguments, got {', '.join(sorted(args))}")
        if self._latest is None:
            raise DeviceRefusedError("no fix yet")
        return Answer({"position": msgspec.to_builtins(self._latest)})

    async def _piece(self) -> bytes | None:
        """Return the next bytes, empty at the end, or None when it is time to look at the clock."""
        try:
            async with asyncio.timeout(self._vigil.wait_s(epoch_open=self._grouper.waits)):
                piece = await self._source.read()
        except TimeoutError:
            if self._vigil.silent():
                raise DeviceUnreachableError(f"{self.device} is silent") from None
            return None
        self._vigil.heard()
        return piece

    def _epochs(self, piece: bytes | None) -> Iterator[Epoch]:
        for sentence, statement in self._language.feed(piece or b""):
            if ended := self._grouper.add(sentence, statement):
                yield ended
        if piece == b"":
            self._language.finish()
        if not piece and (ended := self._grouper.close()):
            yield ended

    def _judge(self, epoch: Epoch) -> Iterator[Report | Health]:
        if satellites := heard(epoch.statements):
            self._satellites = satellites
        now = self._clock.now()
        if position := self._positions.of(epoch, now):
            if self._as_now:
                self._shift = self._shift or now - position.at
                position = msgspec.structs.replace(position, at=position.at + self._shift)
            self._latest = position
            if news := self._vigil.fixed():
                yield news
            yield Report(position)

    def _counters(self) -> Reading:
        counts = {**self._language.counts(), **self._positions.refused}
        values: dict[str, Value] = {name: float(count) for name, count in counts.items()}
        return Reading(device=self.device, at=self._clock.now(), values=values)
