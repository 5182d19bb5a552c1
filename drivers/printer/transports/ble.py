"""Bluetooth Low Energy: a service of the printer's own, one characteristic to write, one that notifies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from bleak_retry_connector import establish_connection, get_device

from drivers.bluetooth import radios
from drivers.printer.options import Ble
from drivers.printer.transports.inbox import Inbox
from firmware_configs.printers import Printer
from protocol import logs
from protocol.errors import DeviceUnreachableError

_FIND_S: Final = 10.0
_CONNECT_S: Final = 20.0
_STUCK_S: Final = 4.0
_CLOSE_S: Final = 5.0
_ATTEMPTS: Final = 2
_LONGEST: Final = 512
"""Bytes of a characteristic's value (Bluetooth Core 5.4, volume 3, part F, 3.2.9), whatever the MTU."""
_FAILURES: Final = (BleakError, OSError, EOFError, TimeoutError)
"""What the library raises; EOFError when the bus itself went away."""

log = logs.get(__name__)


class Gadget:
    """A connected printer.

    A write without response is done when the radio has queued it, far from the printer; one with response when the
    printer has taken it and all before it. Neither says that there was room in its buffer.
    """

    def __init__(self, client: BleakClient, target: BleakGATTCharacteristic, inbox: Inbox) -> None:
        self.inbox = inbox
        self._client, self._target = client, target
        self._quiet = "write-without-response" in target.properties
        self._acknowledges = "write" in target.properties

    @property
    def longest(self) -> int:
        return min(self._target.max_write_without_response_size, _LONGEST)

    async def write(self, piece: bytes, *, fence: bool) -> bool:
        self.inbox.check()
        acknowledged = self._acknowledges and (fence or not self._quiet)
        try:
            async with asyncio.timeout(_STUCK_S):
                await self._client.write_gatt_char(self._target, piece, response=acknowledged)
        except TimeoutError:
            raise DeviceUnreachableError(f"it takes no more bytes for {_STUCK_S:.0f} s") from None
        except _FAILURES as error:
            raise DeviceUnreachableError(f"Bluetooth: {error}") from error
        return acknowledged


class BleLine:
    """A printer by Bluetooth Low Energy. It serves one client at a time, so it is never held longer than needed."""

    def __init__(self, way: Ble, printer: Printer) -> None:
        self._way, self._services = way, printer.bluetooth
        self._name = way.address or way.name or ""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Gadget]:
        inbox = Inbox()
        client = await self._connect(await self._found(), inbox)
        try:
            yield await self._opened(client, inbox)
        finally:
            await self._disconnect(client)

    async def _found(self) -> BLEDevice:
        heard: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

        def hear(device: BLEDevice, said: AdvertisementData) -> None:
            if not heard.done() and (self._way.address or self._way.name in {device.name, said.local_name}):
                heard.set_result(device)

        # BlueZ forgets a device when discovery ends that nobody has connected, so the scan goes on until it is heard.
        async with radios.borrowed(self._way.adapter) as radio:
            # Only now: before the radio runs the library does not know what BlueZ has.
            if left := await self._left_connected():
                return left
            with radio.hearing(hear, self._way.address):
                try:
                    async with asyncio.timeout(_FIND_S):
                        return await heard
                except TimeoutError:
                    await radio.renew()
                    raise DeviceUnreachableError(f"{self._name} is not heard: off, out of reach, or in use") from None

    async def _left_connected(self) -> BLEDevice | None:
        """Return the printer if it is connected: a program that was killed leaves it so, and then it is not heard."""
        if self._way.address is None:
            return None
        try:
            async with asyncio.timeout(_FIND_S):
                device = await get_device(self._way.address)
        except _FAILURES as error:
            raise DeviceUnreachableError(f"Bluetooth: {error or 'no answer'}") from error
        return device if device and device.details["props"].get("Connected") else None

    async def _connect(self, device: BLEDevice, inbox: Inbox) -> BleakClient:
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await establish_connection(
                    BleakClient,
                    device,
                    self._name,
                    disconnected_callback=lambda _: inbox.break_off("the Bluetooth connection broke"),
                    max_attempts=_ATTEMPTS,
                    use_services_cache=False,
                )
        except _FAILURES as error:
            raise DeviceUnreachableError(f"{self._name}: {error or 'no answer'}") from error

    async def _opened(self, client: BleakClient, inbox: Inbox) -> Gadget:
        target, source = self._chosen(client)
        if source is not None:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await client.start_notify(source, lambda _, piece: inbox.hear(piece))
            except _FAILURES as error:
                raise DeviceUnreachableError(f"{self._name}: {error or 'no answer'}") from error
        return Gadget(client, target, inbox)

    def _chosen(self, client: BleakClient) -> tuple[BleakGATTCharacteristic, BleakGATTCharacteristic | None]:
        """Return what is written, and what notifies where the printer has it: not all of a profile have."""
        for gatt in self._services:
            service = client.services.get_service(gatt.service)
            if service and (target := service.get_characteristic(gatt.write)):
                return target, service.get_characteristic(gatt.notify) if gatt.notify else None
        raise DeviceUnreachableError(f"{self._name} has none of the services of its profile")

    async def _disconnect(self, client: BleakClient) -> None:
        try:
            async with asyncio.timeout(_CLOSE_S):
                await client.disconnect()
        except _FAILURES as error:
            log.debug("printer_not_disconnected", printer=self._name, reason=str(error))
