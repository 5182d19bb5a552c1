"""A device that speaks at a given rate and keeps a ledger, as a driver that the real agent opens.

In a box's configuration: `driver = "tests.simulators.load_driver:SPEC"`, with the repository as the agent's working
folder. Every report carries a running number `n` that goes on after a restart. Two ledgers, append-only, one number a
line, written through to the disk: `said` before a report is handed over, `kept` once the box has said that it is safe.
Whatever is in `kept` must reach the hub, and nothing that is not in `said` may.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from drivers.contract import Answer, Driver, DriverSpec, Health, Options, Raw, Report
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError
from protocol.messages import Event, EventState, Position, Reading, Record, Severity


class LoadOptions(Options, frozen=True, kw_only=True):
    """How much is said."""

    rate: Annotated[float, Meta(gt=0)] = 10.0
    burst: Annotated[int, Meta(ge=1)] = 1
    total: Annotated[int, Meta(ge=0)] = 0
    kind: Literal["reading", "event", "position"] = "reading"
    event_type: str = "load.happened"
    image_bytes: Annotated[int, Meta(ge=0)] = 0
    ledger: str = ""
    fsync: bool = True
    fail_after: Annotated[int, Meta(ge=0)] = 0
    closing: Literal["ends", "waits", "blocks"] = "ends"


class _Ledger:
    def __init__(self, file: Path, *, fsync: bool) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._fsync = fsync

    def write(self, numbers: range) -> None:
        os.write(self._file, "".join(f"{number}\n" for number in numbers).encode())
        if self._fsync:
            os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)


class LoadDevice:
    """The open device."""

    commands = frozenset({"echo", "snapshot", "wait", "fail"})

    def __init__(self, device: str, options: LoadOptions, clock: Clock, folder: Path) -> None:
        self.device = device
        self._options = options
        self._clock = clock
        self._said_file = folder / "said"
        self._first = last_number(self._said_file) + 1
        self._kept_through = self._first - 1
        self._said = _Ledger(self._said_file, fsync=options.fsync)
        self._kept = _Ledger(folder / "kept", fsync=options.fsync)
        self.obeyed = _Ledger(folder / "obeyed", fsync=options.fsync)

    def close(self) -> None:
        self._said.close()
        self._kept.close()
        self.obeyed.close()

    def release(self, count: int) -> None:
        through = self._first + count - 1
        if through > self._kept_through:
            self._kept.write(range(self._kept_through + 1, through + 1))
            self._kept_through = through

    async def reports(self) -> AsyncIterator[Report | Health | Raw]:
        options, number = self._options, self._first
        loop = asyncio.get_running_loop()
        begun, spoken = loop.time(), 0
        while not options.total or number <= options.total:
            if options.fail_after and spoken >= options.fail_after:
                raise DeviceUnreachableError(f"{self.device} fell silent after {spoken} reports")
            until = min(number + options.burst, options.total + 1 if options.total else number + options.burst)
            self._said.write(range(number, until))
            for each in range(number, until):
                yield self._report(each)
            spoken += until - number
            number = until
            await asyncio.sleep(begun + spoken / options.rate - loop.time())

    async def obey(self, name: str, args: dict[str, object]) -> Answer:
        self.obeyed.write(range(int(str(args.get("number", 0))), int(str(args.get("number", 0))) + 1))
        if name == "wait":
            await asyncio.sleep(float(str(args["seconds"])))
        if name == "fail":
            raise KeyError("a driver's bug")
        if name == "snapshot":
            return Answer({"taken": True}, (self._event(0, _picture(2_000)),))
        return Answer(dict(args))

    def _report(self, number: int) -> Report:
        record: Record
        now = self._clock.now()
        match self._options.kind:
            case "event":
                return self._event(number, _picture(self._options.image_bytes))
            case "position":
                longitude = 118.10 + number * 1e-5
                record = Position(
                    device=self.device, at=now, latitude=24.57, longitude=longitude, satellites=number % 30
                )
            case _:
                record = Reading(device=self.device, at=now, values={"n": float(number)})
        return Report(record)

    def _event(self, number: int, image: bytes) -> Report:
        event = Event(
            device=self.device,
            at=self._clock.now(),
            type=self._options.event_type,
            severity=Severity.MAJOR,
            id=self._clock.new_id(),
            state=EventState.INSTANT,
            data={"n": number},
            images=(sha256(image).hexdigest(),) if image else (),
        )
        return Report(event, (image,) if image else ())


def _picture(size: int) -> bytes:
    """Return bytes that begin as a JPEG does and are never the same twice; none for size 0."""
    return b"\xff\xd8\xff\xe0" + os.urandom(size) if size else b""


def last_number(ledger: Path) -> int:
    """Return the last whole line of a ledger, 0 when there is none; a torn line was never handed over."""
    if not ledger.exists():
        return 0
    content = ledger.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        ledger.write_bytes(whole)
    lines = whole.split()
    return int(lines[-1]) if lines else 0


@asynccontextmanager
async def _open(device: str, options: LoadOptions, clock: Clock, folder: Path) -> AsyncIterator[Driver]:
    place = Path(options.ledger) if options.ledger else folder
    place.mkdir(parents=True, exist_ok=True)
    opened = LoadDevice(device, options, clock, place)
    try:
        yield opened
    finally:
        match options.closing:
            case "waits":
                await _for_ever()
            case "blocks":
                threading.Event().wait()
        opened.close()


async def _for_ever() -> None:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


SPEC = DriverSpec(name="load", summary="Speaks at a given rate and keeps a ledger.", options=LoadOptions, open=_open)
