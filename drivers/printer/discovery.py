"""Printers that can be heard by Bluetooth: those that look like one first, everything else behind."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.bluetooth import radios
from firmware_configs.printers import PRINTERS, Printer


@dataclass(frozen=True, slots=True)
class Found:
    """A device that advertises itself. `profiles` names those whose services or beginnings of names it has."""

    address: str
    name: str
    rssi_dbm: int
    profiles: tuple[str, ...]


async def discover(seconds: float, *, adapter: str | None = None) -> AsyncIterator[Found]:
    """Listen for so long; yield each device once.

    What may be a printer comes as soon as it is heard, the rest at the end, the strongest first. Raises
    DeviceUnreachableError when there is no Bluetooth here, ConfigurationError for a broken profile.
    """
    profiles = {name: PRINTERS.load(name) for name in PRINTERS.names()}
    heard: asyncio.Queue[Found] = asyncio.Queue()
    others: dict[str, Found] = {}
    told: set[str] = set()

    def hear(device: BLEDevice, said: AdvertisementData) -> None:
        found = _judged(device, said, profiles)
        if not found.profiles:
            others[found.address] = found
        elif found.address not in told:
            told.add(found.address)
            heard.put_nowait(found)

    deadline = asyncio.get_running_loop().time() + seconds
    async with radios.borrowed(adapter) as radio:
        with radio.hearing(hear):
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        found = await heard.get()
                except TimeoutError:
                    break
                yield found
    for found in sorted(others.values(), key=lambda found: -found.rssi_dbm):
        if found.address not in told:
            yield found


def _judged(device: BLEDevice, said: AdvertisementData, profiles: dict[str, Printer]) -> Found:
    name, services = said.local_name or "", set(said.service_uuids)
    named = [
        profile
        for profile, printer in profiles.items()
        if name and any(name.startswith(each) for each in printer.names)
    ]
    served = [
        profile for profile, printer in profiles.items() if services & {gatt.service for gatt in printer.bluetooth}
    ]
    # A name says more than a service that many makers use.
    return Found(device.address, name, said.rssi, tuple(dict.fromkeys((*named, *served))))
