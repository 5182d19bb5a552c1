"""When gateways and devices last spoke: registered at the first word, written down now and then, forward only."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices import repository as devices
from hub.devices.repository import DeviceKey
from hub.gateways import repository as gateways
from hub.telemetry.contract import Arrival

WRITTEN_EVERY_S: Final = 1.0
_AT_ONCE: Final = 1_000
_PLAUSIBLE: Final = datetime(2020, 1, 1, tzinfo=UTC)


class Sightings:
    """What was heard since it was last written down. A crash forgets a second of it, which the next word repairs."""

    def __init__(self) -> None:
        self._known: set[DeviceKey] = set()
        self._devices: dict[DeviceKey, datetime] = {}
        self._gateways: dict[str, datetime] = {}
        self._ahead: tuple[frozenset[DeviceKey], dict[DeviceKey, datetime], dict[str, datetime]] | None = None
        self._due_at = 0.0

    def hear_gateway(self, gateway: str, received_at: datetime) -> None:
        """Note that a gateway sent something."""
        self._gateways[gateway] = received_at

    def hear(self, arrivals: Iterable[Arrival]) -> None:
        """Note which devices speak in these batches."""
        for arrival in arrivals:
            gateway = arrival.batch.gateway
            for device, at in {record.device: record.at for record in arrival.batch.records}.items():
                key = DeviceKey(gateway, device)
                spoke = spoke_at(at, arrival.batch.sent_at, arrival.received_at)
                earlier = self._devices.get(key)
                if earlier is None or earlier < spoke:
                    self._devices[key] = spoke

    async def write(self, session: AsyncSession, now: datetime, monotonic: float) -> None:
        """Add new devices, and when it is time the last words, to the caller's transaction; `settled` follows."""
        new = {key: at for key, at in self._devices.items() if key not in self._known}
        if new:
            await devices.add_new(session, new, now)
        spoken: dict[DeviceKey, datetime] = {}
        heard: dict[str, datetime] = {}
        if monotonic >= self._due_at:
            spoken = dict(islice(self._devices.items(), _AT_ONCE))
            heard = dict(islice(self._gateways.items(), _AT_ONCE))
            await devices.note_seen(session, spoken)
            await gateways.note_seen(session, heard)
            self._due_at = monotonic + WRITTEN_EVERY_S
        self._ahead = (frozenset(new), spoken, heard)

    def settled(self) -> None:
        """Forget what was written: it is committed."""
        if self._ahead is None:
            return
        new, spoken, heard = self._ahead
        self._ahead = None
        self._known |= new
        for key, at in spoken.items():
            if self._devices.get(key) == at:
                del self._devices[key]
        for gateway, at in heard.items():
            if self._gateways.get(gateway) == at:
                del self._gateways[gateway]

    @property
    def waiting(self) -> bool:
        """Whether something was heard that is not written down."""
        return bool(self._devices or self._gateways)


def spoke_at(at: datetime, sent_at: datetime, received_at: datetime) -> datetime:
    """Return when a device spoke, by the hub's clock as well as can be known.

    A record's own time is right unless the box's clock is not: then its age is taken from the box's two times, which
    are wrong alike. Never after the receipt.
    """
    if at < _PLAUSIBLE:
        at = received_at - max(sent_at - at, timedelta(0))
    return min(at, received_at)
