"""What Bluetooth devices advertise: one scan for all devices of the process that listen.

BlueZ gives a program one discovery, and refuses it a second (`org.bluez.Error.InProgress`): whoever wants to hear
advertisements borrows the radio here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.sharing import Shared, to_the_end
from protocol import logs
from protocol.errors import DeviceUnreachableError

Hearer = Callable[[BLEDevice, AdvertisementData], None]
_ANSWER_S: Final = 4.0
_DEAF_AFTER_S: Final = 60.0

log = logs.get(__name__)


class Radio:
    """A running scan of one adapter."""

    def __init__(self, adapter: str | None) -> None:
        self._adapter = adapter
        self._hearers: list[tuple[str | None, Hearer]] = []
        self._scanner: BleakScanner | None = None
        self._heard_at = 0.0
        self._renewing = asyncio.Lock()

    @contextmanager
    def hearing(self, hearer: Hearer, address: str | None = None) -> Iterator[None]:
        """Call `hearer` with each advertisement, or each of one address, until left. It must not block or raise."""
        entry = (None if address is None else address.upper(), hearer)
        self._hearers.append(entry)
        try:
            yield
        finally:
            self._hearers.remove(entry)

    async def start(self) -> None:
        """Begin to scan; raises DeviceUnreachableError when there is no Bluetooth here, or it says no."""
        # Without duplicates a sensor whose values do not change would seem to be silent.
        filters = {"DuplicateData": True}
        arguments = {"filters": filters} | ({"adapter": self._adapter} if self._adapter else {})
        scanner = BleakScanner(self._hear, bluez=arguments)  # type: ignore[arg-type] # a typed dictionary
        try:
            async with asyncio.timeout(_ANSWER_S):
                await scanner.start()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            raise DeviceUnreachableError(f"Bluetooth {self._adapter or ''}: {error or 'no answer'}") from error
        self._scanner = scanner
        self._heard_at = asyncio.get_running_loop().time()

    async def stop(self) -> None:
        """End the scan, whatever the adapter says to it."""
        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                await scanner.stop()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            log.warning("scan_not_stopped", adapter=self._adapter, reason=str(error))

    async def renew(self) -> None:
        """Begin anew if nobody at all was heard for a minute: Bluetooth was restarted, or its adapter pulled out.

        Raises as `start` does.
        """
        async with self._renewing:
            if asyncio.get_running_loop().time() - self._heard_at > _DEAF_AFTER_S:
                log.warning("radio_deaf", adapter=self._adapter)
                await to_the_end(self._restart())

    async def _restart(self) -> None:
        await self.stop()
        await self.start()

    def _hear(self, device: BLEDevice, said: AdvertisementData) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        for address, hearer in tuple(self._hearers):
            if address in {None, device.address}:
                hearer(device, said)


@asynccontextmanager
async def _scanning(adapter: str | None) -> AsyncIterator[Radio]:
    radio = Radio(adapter)
    await radio.start()
    try:
        yield radio
    finally:
        await radio.stop()


radios: Final = Shared(_scanning)
"""The scans of this process, by adapter ("hci0", None for the first)."""
