"""What every driver must hold to, as checks that its author can run against a real or a simulated device.

Each check is a coroutine function of a `Candidate` and an empty folder, and raises NonconformityError. With pytest:

    @pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
    async def test_fryer(check: conformance.Check, tmp_path: Path) -> None:
        await check(Candidate("fryer.driver:SPEC", options={…}, unreachable={…}), tmp_path)

What is left behind is looked for in this process, by way of Linux's `/proc`: asyncio tasks, threads, open files and
sockets, child processes. The device is opened and closed once before looking: what a library keeps for the whole
process (an executor, a resource tracker) is no leak, what each opening adds is one.
"""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from drivers.contract import LONGEST_PATIENCE_S, Answer, Driver, Health, Obeys, Raw, Report, Reports, Rests, Works
from drivers.listening import listening
from drivers.registry import open_driver, validate
from protocol import codec
from protocol.clock import Clock, SystemClock
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from protocol.messages import Batch, DeviceState, Event, Position, Reading, Receipt

_DEVICE: Final = "candidate-1"
_SETTLING_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.02


class NonconformityError(AssertionError):
    """A driver does not hold to the contract; the message says where."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A driver, the options of a device that answers, and those of one that does not.

    `reports` is how many records the answering device sends within `patience_s`; zero for one that only obeys.
    """

    kind: str
    options: dict[str, Any]
    unreachable: dict[str, Any]
    reports: int = 3
    patience_s: float = 10.0
    clock: Clock = field(default_factory=SystemClock)


Check = Callable[[Candidate, Path], Awaitable[None]]


async def refuses_unknown_options(candidate: Candidate, folder: Path) -> None:
    """An option that the driver does not have is an error that names it, before anything is opened."""
    del folder
    validate(candidate.kind, _DEVICE, candidate.options)
    try:
        validate(candidate.kind, _DEVICE, {**candidate.options, "no_such_option": 1})
    except ConfigurationError as error:
        if "no_such_option" in str(error):
            return
        raise NonconformityError(f"the error does not name the unknown option: {error}") from error
    raise NonconformityError("an unknown option was accepted")


async def leaves_nothing_when_closed(candidate: Candidate, folder: Path) -> None:
    """Opening and closing, again and again, adds no task, thread, descriptor or child."""
    async with _nothing_left(candidate, folder):
        for _ in range(3):
            async with _opened(candidate, folder) as driver:
                if driver.device != _DEVICE:
                    raise NonconformityError(f"it calls itself {driver.device!r}, not {_DEVICE!r}")


async def leaves_nothing_after_an_error(candidate: Candidate, folder: Path) -> None:
    """An error inside the context comes out as it is, and the device is closed."""
    error = ZeroDivisionError("inside the context")
    async with _nothing_left(candidate, folder):
        try:
            async with _opened(candidate, folder):
                raise error
        except ZeroDivisionError as raised:
            if raised is error:
                return
        raise NonconformityError("an error inside the context was swallowed")


async def leaves_nothing_when_cancelled(candidate: Candidate, folder: Path) -> None:
    """Cancelled at any moment, while opening, idle or speaking, it ends promptly and leaves nothing."""
    async with _nothing_left(candidate, folder):
        for after_s in (0.0, 0.001, 0.01, 0.1, 0.5):
            running = asyncio.create_task(_listen_for_ever(candidate, folder))
            await asyncio.sleep(after_s)
            running.cancel()
            done, _ = await asyncio.wait({running}, timeout=_SETTLING_S)
            if not done:
                raise NonconformityError(f"cancelled after {after_s} s it went on for {_SETTLING_S} s")
            if not running.cancelled() and (error := running.exception()):
                raise NonconformityError(f"cancelled after {after_s} s it raised {error!r}") from error


async def says_unreachable(candidate: Candidate, folder: Path) -> None:
    """A device that does not answer is DeviceUnreachableError, on opening or with the first report."""
    silent = Candidate(candidate.kind, candidate.unreachable, {}, patience_s=candidate.patience_s)
    try:
        async with asyncio.timeout(candidate.patience_s):
            await _listen_for_ever(silent, folder)
    except DeviceUnreachableError as error:
        if not str(error):
            raise NonconformityError("DeviceUnreachableError does not say why") from error
        return
    except TimeoutError as error:
        raise NonconformityError(f"nothing was said of it for {candidate.patience_s} s") from error
    raise NonconformityError("an unreachable device was opened, and ended well")


async def reports_valid_records(candidate: Candidate, folder: Path) -> None:
    """Records are of this device, in UTC, survive the wire, and come with the pictures that they name."""
    if not candidate.reports:
        return
    seen = 0
    async with _opened(candidate, folder) as driver:
        if not isinstance(driver, Reports):
            raise NonconformityError("it has no reports")
        try:
            async with asyncio.timeout(candidate.patience_s), listening(driver) as said:
                while seen < candidate.reports:
                    seen += _check_said(await anext(said), candidate.clock)
        except (TimeoutError, StopAsyncIteration) as error:
            raise NonconformityError(f"{seen} records of {candidate.reports}, then {type(error).__name__}") from error


async def refuses_unknown_commands(candidate: Candidate, folder: Path) -> None:
    """A command that it does not have is DeviceRefusedError, and so are arguments that make no sense."""
    async with _opened(candidate, folder) as driver:
        if isinstance(driver, Obeys):
            for name, args in _nonsense(driver.commands):
                await _is_refused(driver.obey(name, args), f"{name} {args}", candidate)
        if isinstance(driver, Works):
            for name, args in _nonsense(driver.jobs):
                await _is_refused(driver.work(candidate.clock.new_id(), name, args), f"{name} {args}", candidate)


async def comes_to_rest(candidate: Candidate, folder: Path) -> None:
    """A device that is given nothing to do comes to rest within its patience, and again after it went on."""
    async with _opened(candidate, folder) as driver:
        if not isinstance(driver, Rests):
            return
        if not 0 < driver.patience_s <= LONGEST_PATIENCE_S:
            raise NonconformityError(f"its patience is {driver.patience_s} s; it may be {LONGEST_PATIENCE_S} at most")
        for _ in range(2):
            try:
                async with asyncio.timeout(min(driver.patience_s, candidate.patience_s)), driver.at_rest():
                    pass
            except TimeoutError as error:
                raise NonconformityError("with nothing to do it does not come to rest") from error


CHECKS: Final[tuple[Check, ...]] = (
    refuses_unknown_options,
    leaves_nothing_when_closed,
    leaves_nothing_after_an_error,
    leaves_nothing_when_cancelled,
    says_unreachable,
    reports_valid_records,
    refuses_unknown_commands,
    comes_to_rest,
)


def _nonsense(names: frozenset[str]) -> list[tuple[str, dict[str, Any]]]:
    return [("no-such-command", {}), *((name, {"no_such_argument": 1}) for name in sorted(names))]


async def _is_refused(answering: Awaitable[Answer], order: str, candidate: Candidate) -> None:
    try:
        async with asyncio.timeout(candidate.patience_s):
            await answering
    except DeviceRefusedError:
        return
    except TimeoutError as error:
        raise NonconformityError(f"{order} was not refused for {candidate.patience_s} s") from error
    raise NonconformityError(f"{order} was not refused")


@asynccontextmanager
async def _opened(candidate: Candidate, folder: Path) -> AsyncIterator[Driver]:
    opening = open_driver(candidate.kind, _DEVICE, candidate.options, candidate.clock, folder / _DEVICE)
    async with opening as driver:
        yield driver


async def _listen_for_ever(candidate: Candidate, folder: Path) -> None:
    async with _opened(candidate, folder) as driver:
        if isinstance(driver, Reports):
            async with listening(driver) as said:
                async for _ in said:
                    pass
        await asyncio.Event().wait()


def _check_said(said: Report | Health | Raw, clock: Clock) -> bool:
    """Check one thing that a driver said; return whether it was a record."""
    match said:
        case Report(record=record, images=images):
            _check_record(record, clock)
            _check_images(record, images)
            return True
        case Health(status=status) if status not in {DeviceState.OK, DeviceState.DEGRADED}:
            raise NonconformityError(f"a driver says ok or degraded, not {status}")
        case Raw(payload=payload) if not payload:
            raise NonconformityError("a Raw without bytes")
        case Health() | Raw():
            return False
    raise NonconformityError(f"it said a {type(said).__name__}")


def _check_record(record: Reading | Position | Event | Receipt, clock: Clock) -> None:
    if not isinstance(record, Reading | Position | Event | Receipt):
        raise NonconformityError(f"a report of a {type(record).__name__}, which is no record")
    if record.device != _DEVICE:
        raise NonconformityError(f"a record of device {record.device!r}")
    if record.at.utcoffset() != timedelta(0):
        raise NonconformityError(f"the time {record.at!r} is not in UTC")
    batch = Batch(id=clock.new_id(), gateway="g1", epoch=UUID(int=0), seq=1, sent_at=clock.now(), records=(record,))
    decoded = codec.decode_batch(codec.encode(batch))
    if decoded.refused or decoded.batch.records != (record,):
        raise NonconformityError(f"it does not survive the wire: {decoded.refused or decoded.batch.records}")


def _check_images(record: Reading | Position | Event | Receipt, images: tuple[bytes, ...]) -> None:
    named = set(record.images) if isinstance(record, Event) else set()
    if named != {hashlib.sha256(image).hexdigest() for image in images}:
        raise NonconformityError("the pictures are not those that the record names")


@asynccontextmanager
async def _nothing_left(candidate: Candidate, folder: Path) -> AsyncIterator[None]:
    """Check that what happens inside leaves nothing in this process, some seconds after its end at the latest."""
    async with _opened(candidate, folder):
        pass
    await asyncio.sleep(_LOOK_AGAIN_S)
    before = _held()
    yield
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SETTLING_S
    while left := _held() - before:
        if loop.time() > deadline:
            raise NonconformityError(f"left behind: {', '.join(sorted(left))}")
        # Nothing tells when a thread or a child of somebody else is gone.
        await asyncio.sleep(_LOOK_AGAIN_S)


def _held() -> set[str]:
    """Name every task, thread, descriptor and child of this process."""
    held = {f"task {task.get_name()}" for task in asyncio.all_tasks()}
    # Threads of asyncio's own executor belong to the loop, which keeps them for the next caller.
    held |= {f"thread {thread.name}" for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor that lists the others
            held.add(f"descriptor {descriptor.name} of {descriptor.readlink()}")
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):
            held |= {f"child {pid}" for pid in (thread / "children").read_text().split()}
    return held
