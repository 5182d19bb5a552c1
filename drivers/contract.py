"""What a device driver is. Third parties import this module and `protocol`, nothing else.

A driver is opened by entering an async context manager and closed by leaving it; cancelling stops it. What a device
can do are separate protocols, asked for with `isinstance`: a driver implements those that its device has. Errors leave
a driver only as `protocol.errors`: DeviceUnreachableError (try again), DeviceRefusedError, ConfigurationError (do not).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable
from uuid import UUID

import msgspec

from protocol.clock import Clock
from protocol.messages import DeviceState, Record

LONGEST_PATIENCE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Report:
    """Something that a device said, with the pictures (JPEG or WebP bytes) that its record names by SHA-256."""

    record: Record
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """The device speaks but is not well (or well again): degraded or ok, and why in a few plain words.

    Being lost is not said this way: a driver that loses its device raises DeviceUnreachableError.
    """

    status: DeviceState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as the device sent them, for the box's own evidence ring; they do not leave the box by themselves."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gave: data for the reply, and reports that it caused (a snapshot's event with its picture)."""

    data: dict[str, Any] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()


@runtime_checkable
class Driver(Protocol):
    """An open device. `device` is its name on this box, a topic level."""

    device: str


@runtime_checkable
class Reports(Driver, Protocol):
    """The device has something to say. The iterator ends only when the device has nothing more to say for ever."""

    def reports(self) -> AsyncIterator[Report | Health | Raw]:
        """Yield what the device says, each with the time at which it said it."""
        ...


@runtime_checkable
class Obeys(Driver, Protocol):
    """The device takes commands beyond those that every device knows."""

    commands: frozenset[str]

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        """Execute one of `commands`; raise DeviceRefusedError for wrong arguments or a device that says no."""
        ...


@runtime_checkable
class Works(Driver, Protocol):
    """The device does jobs: commands that may take their time and leave a `Receipt` among the reports.

    Jobs and other commands may be given while one is under way: the driver keeps their order itself. A receipt is told
    for each job that was taken, also after a power cut, which ends a job and never begins it again.
    """

    jobs: frozenset[str]

    async def work(self, job: UUID, name: str, args: dict[str, Any]) -> Answer:
        """Do one of `jobs`; `job` is the id of its command, and the receipt's.

        Answers when the job has ended, or earlier that it goes on. Raises DeviceRefusedError for wrong arguments and
        for a job that cannot be taken; there is no receipt then.
        """
        ...


@runtime_checkable
class Rests(Driver, Protocol):
    """The device does what is better finished than cut off: a ticket half printed, a clip half copied.

    The agent asks it to come to rest before it begins anew of its own accord, to run another configuration or another
    release. Whoever stops the box, or has it begin anew on the spot, does not wait.
    """

    patience_s: float
    """Seconds that the device is waited for, at most LONGEST_PATIENCE_S; then it is closed all the same."""

    def at_rest(self) -> AbstractAsyncContextManager[None]:
        """Enter once nothing is under way that a cut would spoil; until it is left the device begins nothing itself.

        Jobs are not given to a device meanwhile, the hub repeats them; other commands are. Cancelled, or left, the
        device goes on as before. Closing the driver lets whoever waits here in.
        """
        ...


@runtime_checkable
class Releases(Driver, Protocol):
    """The device wants to know what the box has safe: it may keep its own copy until then."""

    def release(self, count: int) -> None:
        """Hear that the first `count` reports since opening are on the box's disk. Must not block."""
        ...


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a driver's own options: frozen, and an unknown option is an error that names it."""


Opener = Callable[[str, Any, Clock, Path], AbstractAsyncContextManager[Driver]]


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """What a driver's entry point in the group `diwang.drivers` points to.

    `open` takes the device's name, the validated options, the clock, and the device's own folder on the box: it exists,
    is the driver's alone, and survives restarts.
    """

    name: str
    summary: str
    options: type[Options]
    open: Opener
