"""Bringing the devices to rest before the agent begins anew of its own accord: what is half done is finished first.

Nothing else waits: what devices report goes on to the hub, and so do alarms.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from drivers.contract import LONGEST_PATIENCE_S, Driver, Rests, Works
from protocol import logs

_TOLD_AFTER_S: Final = 1.0

Tell = Callable[[tuple[str, ...]], Awaitable[None]]

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Device:
    """A device that is to come to rest; its driver's context is entered and left by a task of its own."""

    name: str
    driver: Rests
    at_rest: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def patience_s(self) -> float:
        return min(self.driver.patience_s, LONGEST_PATIENCE_S)

    async def rest(self) -> None:
        try:
            async with self.driver.at_rest():
                self.at_rest.set()
                await asyncio.Event().wait()  # until this is cancelled
        except Exception:  # the border of a plug-in: a driver's bug must not keep the box from beginning anew
            log.exception("driver_failed", device=self.name)
            self.at_rest.set()


class Resting:
    """The rest of all devices. `drivers` are those that are open now, by the device's name."""

    def __init__(self, drivers: Callable[[], Mapping[str, Driver]]) -> None:
        self._drivers = drivers
        self._called: set[str] = set()

    def holds(self, device: str, command: str) -> bool:
        """Tell whether a command is a job that a device must not begin now. It is left to the hub, which repeats it."""
        if device not in self._called:
            return False
        driver = self._drivers().get(device)
        return isinstance(driver, Works) and command in driver.jobs

    @asynccontextmanager
    async def reached(self, tell: Tell) -> AsyncIterator[tuple[str, ...]]:
        """Enter once every device is at rest, or has been waited for long enough; yield the names of the latter.

        The most patient come first: a printer is not kept from its next ticket by a long copy. `tell` hears which
        devices are waited for, unless they come to rest at once; it is cancelled when they have. On leaving, the
        devices go on.
        """
        tasks: list[asyncio.Task[None]] = []
        cut: list[str] = []
        try:
            for group in self._most_patient_first():
                for device in group:
                    self._called.add(device.name)
                    tasks.append(asyncio.create_task(device.rest(), name=f"rest {device.name}"))
                await _wait_for(group, tell)
                cut += _awaited(group)
            if cut:
                log.warning("devices_are_cut_off", devices=cut)
            yield tuple(cut)
        finally:
            self._called.clear()
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _most_patient_first(self) -> Iterator[list[_Device]]:
        devices = [_Device(name, driver) for name, driver in self._drivers().items() if isinstance(driver, Rests)]
        devices.sort(key=lambda device: -device.patience_s)
        for _, group in groupby(devices, key=lambda device: device.patience_s):
            yield list(group)


def _awaited(group: list[_Device]) -> list[str]:
    return [device.name for device in group if not device.at_rest.is_set()]


async def _wait_for(group: list[_Device], tell: Tell) -> None:
    """Return when every device of a group is at rest, or their patience is over."""
    patience_s = group[0].patience_s
    telling = asyncio.create_task(_tell(group, tell), name="tell of waiting")
    try:
        async with asyncio.timeout(patience_s):
            for device in group:
                await device.at_rest.wait()
    except TimeoutError:
        return
    finally:
        telling.cancel()
        await asyncio.wait((telling,))


async def _tell(group: list[_Device], tell: Tell) -> None:
    await asyncio.sleep(_TOLD_AFTER_S)
    awaited = _awaited(group)
    log.info("devices_are_waited_for", devices=awaited, at_most_s=group[0].patience_s)
    await tell(tuple(awaited))
