"""Every device runs on its own: one that fails is tried again, later and later, and never troubles another."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final
from uuid import UUID

from drivers import registry
from drivers.contract import Answer, Driver, Health, Obeys, Raw, Releases, Report, Reports, Works
from drivers.listening import listening
from edge.backoff import delays
from edge.board import Board
from edge.config import Config, Device
from edge.intake import Intake
from edge.ring import Ring
from edge.thinning import Thinner
from protocol import logs
from protocol.clock import Clock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError, DiwangError, PermanentError
from protocol.messages import DeviceState, Position

_STEADY_AFTER_S: Final = 60.0
_RING_FOLDER: Final = "raw"

log = logs.get(__name__)


@dataclass(slots=True)
class _Slot:
    """A device's place: its driver while it is open, the task that runs it, and whether it is to begin anew."""

    driver: Driver | None = None
    attempt: asyncio.Task[bool] | None = None
    restarting: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Opens the devices of the configuration, keeps them open, and hands on what they say."""

    def __init__(self, config: Config, board: Board, intake: Intake, clock: Clock) -> None:
        self._config = config
        self._board = board
        self._intake = intake
        self._clock = clock
        self._closing = False
        self.listeners: list[Callable[[Report], None]] = []
        """Those who hear what devices report before it is thinned. They must not block."""
        self._slots = {device: _Slot() for device in config.devices}

    @property
    def running(self) -> list[str]:
        """The devices that are open, are being opened, or do not close."""
        return [name for name, slot in self._slots.items() if slot.attempt is not None and not slot.attempt.done()]

    @property
    def drivers(self) -> dict[str, Driver]:
        """The drivers that are open now, by their device's name."""
        return {name: slot.driver for name, slot in self._slots.items() if slot.driver is not None}

    async def run(self) -> None:
        """Keep all devices running until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, device in self._config.devices.items():
                tasks.create_task(self._keep(name, device, tasks), name=f"keep {name}")
            try:
                await asyncio.Event().wait()
            finally:
                self._closing = True

    def queues(self, name: str) -> bool:
        """Tell whether a device keeps the order of its commands itself: they may come while others are under way."""
        slot = self._slots.get(name)
        return slot is not None and isinstance(slot.driver, Works)

    async def obey(self, name: str, command: str, args: dict[str, Any], job: UUID) -> Answer | None:
        """Let a device carry out a command; None when there is no such device or it does not know the command.

        `job` is the id of the command.

        Raises DeviceUnreachableError when the device is not open now, and DeviceRefusedError when it says no or fails.
        """
        slot = self._slots.get(name)
        if slot is None:
            return None
        if slot.driver is None:
            raise DeviceUnreachableError(f"{name} is not reached at the moment")
        try:
            if isinstance(slot.driver, Works) and command in slot.driver.jobs:
                answer = await slot.driver.work(job, command, args)
            elif isinstance(slot.driver, Obeys) and command in slot.driver.commands:
                answer = await slot.driver.obey(command, args)
            else:
                return None
        except DiwangError:
            raise
        except Exception as error:
            log.warning("driver_failed", device=name, command=command, exc_info=True)
            raise DeviceRefusedError(f"the driver failed: {type(error).__name__}") from error
        if not isinstance(answer, Answer):
            raise DeviceRefusedError(f"the driver answered with a {type(answer).__name__}")
        return answer

    def restart(self, name: str) -> None:
        """Close a device and open it again at once; raise DeviceUnreachableError for an unknown name."""
        slot = self._slots.get(name)
        if slot is None:
            raise DeviceUnreachableError(f"there is no device {name!r} to restart")
        slot.restarting.set()
        if slot.attempt is not None:
            slot.attempt.cancel()

    async def _keep(self, name: str, device: Device, tasks: asyncio.TaskGroup) -> None:
        slot = self._slots[name]
        chance = Random()  # noqa: S311 - spreads attempts
        waits = delays(chance)
        while True:
            opened_at = self._clock.monotonic()
            slot.restarting.clear()
            # A task of its own: whatever a driver does to its cancellations, it does to that task alone.
            slot.attempt = tasks.create_task(self._attempt(name, device, slot), name=f"device {name}")
            await asyncio.wait((slot.attempt,))
            if slot.restarting.is_set():
                waits = delays(chance)
                log.info("device_restarts", device=name)
            elif slot.attempt.cancelled():
                self._board.note(name, DeviceState.LOST, "the driver gave up by itself")
                await _set_within(slot.restarting, next(waits))
            elif slot.attempt.result():
                if self._clock.monotonic() - opened_at > _STEADY_AFTER_S:
                    waits = delays(chance)
                await _set_within(slot.restarting, next(waits))
            else:
                await slot.restarting.wait()

    async def _attempt(self, name: str, device: Device, slot: _Slot) -> bool:
        """Run the device as long as it goes; return whether to try again."""
        try:
            await self._session(name, device, slot)
        except PermanentError as error:
            self._board.note(name, DeviceState.STOPPED, str(error))
            return False
        except DiwangError as error:
            self._board.note(name, DeviceState.LOST, str(error))
            return True
        except Exception as error:  # the border of a plug-in: a driver's bug must not stop the box
            log.exception("driver_failed", device=name, driver=device.driver)
            self._board.note(name, DeviceState.LOST, f"the driver failed: {type(error).__name__}: {error}")
            return True
        self._board.note(name, DeviceState.STOPPED, "it has nothing more to say")
        return False

    async def _session(self, name: str, device: Device, slot: _Slot) -> None:
        folder = self._config.data / "devices" / name
        async with registry.open_driver(device.driver, name, device.options, self._clock, folder) as driver:
            slot.driver = driver
            try:
                if isinstance(driver, Reports):
                    await self._listen(name, device, driver, slot)
                else:
                    self._board.note(name, DeviceState.OK)
                    await asyncio.Event().wait()
            finally:
                slot.driver = None

    async def _listen(self, name: str, device: Device, driver: Reports, slot: _Slot) -> None:
        thinner = Thinner(self._config.positions.thinning()) if device.thin else None
        ring = Ring(self._config.data / "devices" / name / _RING_FOLDER, device.raw_ring_bytes)
        taken = 0
        heard = False
        async with listening(driver) as said:
            try:
                async for item in said:
                    if slot.restarting.is_set() or self._closing:
                        raise asyncio.CancelledError  # the driver has swallowed it
                    if isinstance(item, Health):
                        self._board.note(name, item.status, item.detail)
                    elif not heard:
                        self._board.note(name, DeviceState.OK)
                    heard = True
                    if isinstance(item, Raw):
                        ring.write(self._clock.now(), item.payload)
                    elif isinstance(item, Report):
                        taken += 1
                        for hear in self.listeners:
                            hear(item)
                        safe = partial(_release, slot, driver, taken) if isinstance(driver, Releases) else None
                        await self._hand_on(item, thinner, safe)
            finally:
                ring.close()
                for position in thinner.flush() if thinner else ():
                    await self._intake.put(Report(position))
                await self._intake.flush()  # so that the driver hears of everything before it is closed

    async def _hand_on(self, report: Report, thinner: Thinner | None, safe: Callable[[], None] | None) -> None:
        if thinner is None or not isinstance(report.record, Position):
            await self._intake.put(report, safe)
            return
        for position in thinner.take(report.record):
            await self._intake.put(Report(position), safe)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not for ever."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _release(slot: _Slot, driver: Releases, count: int) -> None:
    if slot.driver is not driver:
        return  # closed in the meantime
    try:
        driver.release(count)
    except Exception:  # the border of a plug-in: a driver's bug must not stop the box
        log.exception("driver_failed", device=driver.device)
