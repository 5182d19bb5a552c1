"""Bluetooth thermometers through unmodified bleak and its BlueZ backend: one scan for all, keys, silence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers import bluetooth, conformance
from drivers.conformance import Candidate
from protocol.errors import DeviceUnreachableError
from protocol.messages import Event, Reading
from tests.simulators import airwaves
from tests.simulators import bthome_sensor as sensor
from tests.simulators.airwaves import Airwaves
from tests.simulators.listened import Listened, opened

THERMOMETER = "drivers.thermometer:SPEC"
FRIDGE, FREEZER = "A4:C1:38:00:00:01", "A4:C1:38:00:00:02"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")


@pytest.fixture
async def air(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Airwaves]:
    async with airwaves.in_the_air(tmp_path) as (address, found):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield found


def fridge(
    folder: Path, address: str = FRIDGE, device: str = "fridge-1", **options: Any
) -> AbstractAsyncContextManager[Listened]:
    about = {name: options.pop(name) for name in ("bind_key_file",) if name in options}
    chosen = {"source": {"kind": "bthome", "address": address.lower(), **about}, "report_every_s": 0, **options}
    return opened(THERMOMETER, device, chosen, folder / device)


@asynccontextmanager
async def advertising(air: Airwaves, *said: tuple[str, bytes]) -> AsyncIterator[None]:
    """Advertise again and again, as sensors do."""

    async def speak() -> None:
        while True:
            for address, data in said:
                air.advertise(address, sensor.SERVICE, data)
            await asyncio.sleep(0.02)

    speaking = asyncio.create_task(speak())
    try:
        yield
    finally:
        speaking.cancel()
        await asyncio.wait((speaking,))


async def test_two_sensors_are_heard_by_one_scan(tmp_path: Path, air: Airwaves) -> None:
    said = (FRIDGE, sensor.clear(sensor.temperature(4.2))), (FREEZER, sensor.clear(sensor.temperature(-18)))
    async with advertising(air, *said), fridge(tmp_path) as one, fridge(tmp_path, FREEZER, "freezer-1") as two:
        for _ in range(3):  # the same values again are measurements too
            assert (await one.record(Reading)).values == {"temperature_c": 4.2, "rssi_dbm": -60.0}
            assert (await two.record(Reading)).values == {"temperature_c": -18.0, "rssi_dbm": -60.0}
    await air.left_alone()
    assert (air.started, air.refused) == (1, 0)


async def test_a_warm_fridge_is_an_event_without_any_hub(tmp_path: Path, air: Airwaves) -> None:
    async with fridge(tmp_path, limits={"high": 8, "minutes": 0}) as listened:
        await air.listened_to()
        async with advertising(air, (FRIDGE, sensor.clear(sensor.temperature(9.9)))):
            began = await listened.record(Event)
        async with advertising(air, (FRIDGE, sensor.clear(sensor.temperature(5)))):
            ended = await listened.record(Event)
    assert (began.state, ended.state, began.id) == ("began", "ended", ended.id)


async def test_a_sensor_that_measures_other_things_watches_over_nothing(tmp_path: Path, air: Airwaves) -> None:
    async with (
        advertising(air, (FRIDGE, sensor.clear(sensor.humidity(50)))),
        fridge(tmp_path, silent_after_s=0.5, limits={"high": 8}) as listened,
    ):
        with pytest.raises(DeviceUnreachableError, match="measures no temperature_c, only humidity_percent"):
            await listened.fails()


async def test_an_encrypted_sensor_is_heard_with_its_key_only(tmp_path: Path, air: Airwaves) -> None:
    (tmp_path / "key").write_text(KEY.hex(), encoding="ascii")
    said = sensor.encrypted(KEY, FRIDGE, 1, sensor.temperature(3.5))
    async with advertising(air, (FRIDGE, said)):
        async with fridge(tmp_path, bind_key_file=str(tmp_path / "key")) as listened:
            assert (await listened.record(Reading)).values["temperature_c"] == 3.5
        async with fridge(tmp_path, silent_after_s=1) as listened:
            with pytest.raises(DeviceUnreachableError, match="no bind key here"):
                await listened.fails()


async def test_a_deaf_radio_is_started_anew(tmp_path: Path, air: Airwaves, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluetooth, "_DEAF_AFTER_S", 0.1)
    async with fridge(tmp_path, silent_after_s=0.3) as listened:
        with pytest.raises(DeviceUnreachableError, match="it is not heard"):
            await listened.fails()
        assert air.started == 2


async def test_without_bluetooth_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    with pytest.raises(DeviceUnreachableError, match="Bluetooth"):
        async with fridge(tmp_path):
            pass


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_it_conforms(check: conformance.Check, tmp_path: Path, air: Airwaves) -> None:
    source = {"kind": "bthome", "address": FRIDGE}
    silent = {"source": {**source, "address": FREEZER}, "silent_after_s": 0.3}
    async with advertising(air, (FRIDGE, sensor.clear(sensor.temperature(4.2)))):
        await check(Candidate(THERMOMETER, {"source": source, "report_every_s": 0}, silent), tmp_path)
