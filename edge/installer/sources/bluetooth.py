"""Printers and sensors that advertise themselves by Bluetooth."""

from collections.abc import AsyncIterator
from typing import Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.bluetooth import radios
from drivers.printer import discovery
from edge.installer.found import Found, Wish
from firmware_configs.printers import PRINTERS

_BTHOME: Final = "0000fcd2-0000-1000-8000-00805f9b34fb"
_BTHOME_1: Final = "0000181c-0000-1000-8000-00805f9b34fb"
_BTHOME_1_ENCRYPTED: Final = "0000181e-0000-1000-8000-00805f9b34fb"
_ENCRYPTED: Final = 0x01
"""Bit 0 of the device information of BTHome 2 (https://bthome.io/format)."""


async def advertisers(seconds: float, *, adapter: str | None = None) -> AsyncIterator[Found]:
    """Listen for so long and yield what was heard: printers as they come, sensors and all else at the end."""
    sensors: dict[str, Found] = {}

    def hear(device: BLEDevice, said: AdvertisementData) -> None:
        if sensor := _sensor(device, said):
            sensors[device.address] = sensor

    others: list[discovery.Found] = []
    async with radios.borrowed(adapter) as radio:
        with radio.hearing(hear):
            async for found in discovery.discover(seconds, adapter=adapter):
                if found.profiles:
                    yield _printer(found, found.profiles)
                else:
                    others.append(found)
    for sensor in sensors.values():
        yield sensor
    # A printer may well advertise nothing that tells its model.
    models = tuple(name for name in PRINTERS.names() if PRINTERS.load(name).bluetooth)
    for found in others:
        if found.address not in sensors:
            yield _printer(found, models)


def _printer(found: discovery.Found, profiles: tuple[str, ...]) -> Found:
    plausible = bool(found.profiles)
    return Found(
        kind="printer",
        title=found.name or found.address,
        place=found.address,
        plausible=plausible,
        why="advertises_printer" if plausible else "advertises",
        driver="printer",
        options={"line": {"kind": "ble", "address": found.address}},
        profiles=profiles,
        wants=("profile",),
    )


def _sensor(device: BLEDevice, said: AdvertisementData) -> Found | None:
    plain = said.service_data.get(_BTHOME) or said.service_data.get(_BTHOME_1)
    sealed = said.service_data.get(_BTHOME_1_ENCRYPTED)
    if not plain and not sealed:
        return None
    newer = said.service_data.get(_BTHOME)
    encrypted = bool(newer[0] & _ENCRYPTED) if newer else sealed is not None
    wants: tuple[Wish, ...] = ("bind_key", "limits") if encrypted else ("limits",)
    return Found(
        kind="thermometer",
        title=_line(said.local_name) or device.address,
        place=device.address,
        plausible=True,
        why="bthome_encrypted" if encrypted else "bthome",
        driver="thermometer",
        options={"source": {"kind": "bthome", "address": device.address}},
        wants=wants,
    )


def _line(name: str | None) -> str:
    """Return a stranger's name as one printable line."""
    return "".join(letter for letter in (name or "") if letter.isprintable())[:64].strip()
