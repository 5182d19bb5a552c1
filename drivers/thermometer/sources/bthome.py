"""Bluetooth sensors that advertise what they measure: BTHome, versions 1 and 2 (https://bthome.io/format).

The library `bthome-ble` decrypts and decodes. It names each object by its kind ("temperature"), with a number behind
where an advertisement has several of a kind ("temperature_2").
"""

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bthome_ble import BTHomeBluetoothDeviceData
from habluetooth import BluetoothServiceInfoBleak
from sensor_state_data import BinarySensorDeviceClass, SensorDeviceClass, Units

from drivers.bluetooth import Radio, radios
from drivers.thermometer.options import Bthome
from drivers.thermometer.sources import Measurement
from protocol.clock import Clock
from protocol.messages import Value

# It logs a line per advertisement that it does not like: several a second, for ever. We say it once, as the reason.
logging.getLogger("bthome_ble").setLevel(logging.CRITICAL)

_WAITING: Final = 32
_LONGEST_TEXT: Final = 256
_NUMBERED: Final = re.compile(r"(.+?)(_\d+)?")
_NAMES: Final = {
    "temperature": "temperature_c",
    "dew_point": "dew_point_c",
    "humidity": "humidity_percent",
    "battery": "battery_percent",
    "voltage": "voltage_v",
    "pressure": "pressure_hpa",
}
_YES_OR_NO: Final = {"battery": "battery_low"} | dict.fromkeys(
    ("door", "opening", "window", "garage_door"), "door_open"
)
_NOT_MEASURED: Final = frozenset({"packet_id", "settings_revision", "channel", "signal_strength"})


class Decoder(BTHomeBluetoothDeviceData):
    """One sensor's advertisements to values; `reason` says why the last one gave none."""

    def __init__(self, bind_key: bytes | None) -> None:
        super().__init__(bindkey=bind_key)
        self.reason = ""
        self._values: dict[str, Value] = {}

    def decode(self, said: BluetoothServiceInfoBleak) -> dict[str, Value]:
        """Return what an advertisement says, nothing for one that is no BTHome, a repetition, or not for our key."""
        self._values = {}
        try:
            self.update(said)
        except (IndexError, ValueError, OverflowError) as error:  # it trusts lengths that came over the air
            self.reason = f"an advertisement that is no BTHome: {error}"
            return {}
        if not self._values:
            self.reason = self._why()
        return self._values

    def update_sensor(  # noqa: PLR0917 - the library's order
        self,
        key: str,
        native_unit_of_measurement: Units | None,
        native_value: str | float | date | datetime | Decimal | None,
        device_class: SensorDeviceClass | None = None,
        name: str | None = None,
        device_id: str | None = None,
    ) -> None:
        """Take a number or a text from the library."""
        del native_unit_of_measurement, device_class, name, device_id
        kind, number = self._kind(key)
        if kind in _NOT_MEASURED:
            return
        if isinstance(native_value, date):
            native_value = native_value.isoformat()
        if isinstance(native_value, str):
            self._values[kind + number] = native_value[:_LONGEST_TEXT]
        elif isinstance(native_value, int | float) and math.isfinite(native_value):
            self._values[_NAMES.get(kind, kind) + number] = float(native_value)

    def update_binary_sensor(
        self,
        key: str,
        native_value: bool | None,  # noqa: FBT001 - the library's order
        device_class: BinarySensorDeviceClass | None = None,
        name: str | None = None,
        device_id: str | None = None,
    ) -> None:
        """Take a yes or no from the library."""
        del device_class, name, device_id
        kind, number = self._kind(key)
        if native_value is not None:
            self._values[_YES_OR_NO.get(kind, kind) + number] = native_value

    def _kind(self, key: str) -> tuple[str, str]:
        found = _NUMBERED.fullmatch(key)
        return (found[1], found[2] or "") if found else (key, "")

    def _why(self) -> str:
        if self.downgrade_detected:
            return "it advertises without encryption, although it has a bind key"
        if self.encryption_scheme.value != "none" and not self.bindkey:
            return "it is encrypted, and has no bind key here"
        if self.encryption_scheme.value != "none" and not self.bindkey_verified:
            return "its bind key is another"
        return ""


class _Advertisements:
    """What one sensor advertises. A box that does not keep up forgets the oldest."""

    def __init__(self, radio: Radio, options: Bthome, clock: Clock) -> None:
        self._radio, self._clock = radio, clock
        self._decoder = Decoder(options.bind_key())
        self._waiting: asyncio.Queue[Measurement] = asyncio.Queue(_WAITING)

    async def measure(self) -> Measurement:
        return await self._waiting.get()

    async def why_silent(self) -> str:
        await self._radio.renew()
        return self._decoder.reason or "it is not heard"

    def hear(self, device: BLEDevice, said: AdvertisementData) -> None:
        """Take an advertisement of this sensor."""
        info = BluetoothServiceInfoBleak(
            device.name or device.address,
            device.address,
            said.rssi,
            {},
            said.service_data,
            said.service_uuids,
            "box",
            device,
            said,
            False,  # noqa: FBT003 - positional in the library: whether one could connect
            self._clock.monotonic(),
            said.tx_power,
            None,
        )
        if values := self._decoder.decode(info):
            if self._waiting.full():
                self._waiting.get_nowait()
            self._waiting.put_nowait(Measurement(self._clock.now(), {**values, "rssi_dbm": float(said.rssi)}))


@asynccontextmanager
async def listened(options: Bthome, clock: Clock) -> AsyncIterator[_Advertisements]:
    """Listen to a sensor; raises DeviceUnreachableError when there is no Bluetooth here."""
    async with radios.borrowed(options.adapter) as radio:
        source = _Advertisements(radio, options, clock)
        with radio.hearing(source.hear, options.address):
            yield source
