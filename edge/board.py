"""How every device of the box does, in one place."""

import asyncio
from collections.abc import Iterable

from protocol import logs
from protocol.clock import Clock
from protocol.messages import DeviceState, DeviceStatus

_DETAIL_CHARACTERS = 500

log = logs.get(__name__)


class Board:
    """The statuses of the devices. Whenever one changes every event in `changed` is set; who tells them clears it."""

    def __init__(self, devices: Iterable[tuple[str, str]], clock: Clock, *changed: asyncio.Event) -> None:
        self._changed = changed
        self._clock = clock
        self._statuses = {
            device: DeviceStatus(
                device=device, driver=driver, status=DeviceState.LOST, since=clock.now(), detail="not reached yet"
            )
            for device, driver in devices
        }

    @property
    def statuses(self) -> tuple[DeviceStatus, ...]:
        """All devices, in the order of the configuration."""
        return tuple(self._statuses.values())

    def note(self, device: str, status: DeviceState, detail: str = "") -> None:
        """Set a device's status. A change is logged once; the same status again only renews its detail."""
        before = self._statuses[device]
        detail = detail[:_DETAIL_CHARACTERS]
        if before.status is status and before.detail == detail:
            return
        since = before.since
        if before.status is not status:
            since = self._clock.now()
            say = log.info if status is DeviceState.OK else log.warning
            say("device_is_" + status, device=device, driver=before.driver, was=before.status, reason=detail)
        self._statuses[device] = DeviceStatus(
            device=device, driver=before.driver, status=status, since=since, detail=detail
        )
        for event in self._changed:
            event.set()
