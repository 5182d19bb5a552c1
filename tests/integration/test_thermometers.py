"""The thermometer driver on real lines: Modbus over TCP and over a serial bus; limits across restarts."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.constants import ExcCodes

from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from protocol.messages import Event, EventState, Reading
from tests.simulators import modbus_cabinet
from tests.simulators.listened import Listened, opened
from tests.simulators.modbus_cabinet import Cabinet
from tests.simulators.ports import free_port

THERMOMETER = "drivers.thermometer:SPEC"
TENTHS = {"name": "temperature_c", "address": modbus_cabinet.TENTHS, "scale": 0.1}
ALL = [
    TENTHS,
    {"name": "core_c", "address": modbus_cabinet.FLOAT, "type": "float32"},
    {"name": "humidity_percent", "address": modbus_cabinet.HUMIDITY, "table": "holding", "scale": 0.1, "offset": -1.5},
    {"name": "door_open", "address": modbus_cabinet.DOOR, "table": "discrete"},
    {"name": "light", "address": modbus_cabinet.LIGHT, "table": "coil"},
]
SAMPLES = {"low": 0, "high": 8, "minutes": 0}


def fridge(
    folder: Path, source: dict[str, Any], device: str = "fridge-1", **options: Any
) -> AbstractAsyncContextManager[Listened]:
    chosen = {"source": {"every_s": 0.02, **source}, "report_every_s": 0, **options}
    return opened(THERMOMETER, device, chosen, folder / device)


def tcp(port: int, **about: Any) -> dict[str, Any]:
    return {"kind": "modbus-tcp", "host": "127.0.0.1", "port": port, "registers": [TENTHS], **about}


def bus(path: str, **about: Any) -> dict[str, Any]:
    return {"kind": "modbus-rtu", "port": path, "registers": [TENTHS], **about}


async def test_every_kind_of_register_is_read_over_tcp(tmp_path: Path) -> None:
    cabinet = Cabinet(celsius=-18.4)
    async with modbus_cabinet.on_tcp(cabinet) as port, fridge(tmp_path, tcp(port, registers=ALL)) as listened:
        values = (await listened.record(Reading)).values
    assert values == {
        "temperature_c": -18.4,
        "core_c": 0.0,
        "humidity_percent": 60.0,
        "door_open": True,
        "light": False,
    }


async def test_two_cabinets_share_a_serial_bus(tmp_path: Path) -> None:
    cabinets = Cabinet(1, 4.0), Cabinet(2, -18.0)
    async with modbus_cabinet.on_serial_bus(*cabinets) as path:
        async with (
            fridge(tmp_path, bus(path, unit=1)) as one,
            fridge(tmp_path, bus(path, unit=2), "freezer-1") as two,
        ):
            for _ in range(5):
                assert (await one.record(Reading)).values == {"temperature_c": 4.0}
                assert (await two.record(Reading)).values == {"temperature_c": -18.0}
            with pytest.raises(ConfigurationError, match="different settings"):
                async with fridge(tmp_path, bus(path, unit=2, baud=19_200), "freezer-2"):
                    pass
        async with fridge(tmp_path, bus(path, unit=1)) as again:  # the bus was given back whole
            assert (await again.record(Reading)).device == "fridge-1"


async def test_a_cabinet_that_leaves_its_limits_is_an_event_across_a_restart(tmp_path: Path) -> None:
    cabinet = Cabinet(celsius=4.0)
    async with modbus_cabinet.on_tcp(cabinet) as port:
        async with fridge(tmp_path, tcp(port), limits=SAMPLES) as listened:
            await listened.record(Reading)
            cabinet.celsius = 9.5
            began = await listened.record(Event)
        async with fridge(tmp_path, tcp(port), limits=SAMPLES) as listened:
            await listened.record(Reading)
            cabinet.celsius = 7.4
            ended = await listened.record(Event)
    assert (began.type, began.state, began.severity) == ("thermometer.out_of_range", EventState.BEGAN, "major")
    assert began.data == {"temperature_c": 9.5, "low": 0.0, "high": 8.0, "worst": 9.5, "minutes": 0.0}
    assert (ended.id, ended.state) == (began.id, EventState.ENDED)
    assert ended.data == {"temperature_c": 7.4, "low": 0.0, "high": 8.0}


async def test_an_event_that_was_not_safe_is_told_again_under_its_id(tmp_path: Path) -> None:
    cabinet = Cabinet(celsius=9.5)
    async with modbus_cabinet.on_tcp(cabinet) as port:
        async with fridge(tmp_path, tcp(port), limits=SAMPLES) as listened:
            listened.keeps = False
            began = await listened.record(Event)
        async with fridge(tmp_path, tcp(port), limits=SAMPLES) as listened:
            again = await listened.record(Event)
            assert (again.id, again.state) == (began.id, EventState.BEGAN)
            await listened.record(Reading)
        async with fridge(tmp_path, tcp(port), limits=SAMPLES) as listened:
            await cabinet.was_asked(cabinet.asked + 3)
            assert not [one for one in listened.waiting() if isinstance(getattr(one, "record", None), Event)]


async def test_readings_are_thinned_but_nothing_is_judged_late(tmp_path: Path) -> None:
    cabinet = Cabinet(celsius=4.0)
    async with (
        modbus_cabinet.on_tcp(cabinet) as port,
        fridge(tmp_path, tcp(port), limits=SAMPLES, report_every_s=3600) as listened,
    ):
        assert (await listened.record(Reading)).values == {"temperature_c": 4.0}
        await cabinet.was_asked(5)
        cabinet.celsius = 8.5
        event = await listened.record(Event)
        cabinet.celsius = 4.0
        ended = await listened.record(Event)
        assert (event.data["temperature_c"], ended.data["temperature_c"]) == (8.5, 4.0)


async def test_a_weak_battery_is_said_once(tmp_path: Path) -> None:
    cabinet = Cabinet(celsius=50.0)
    battery = {**TENTHS, "name": "battery_percent"}
    async with modbus_cabinet.on_tcp(cabinet) as port, fridge(tmp_path, tcp(port, registers=[battery])) as listened:
        await listened.record(Reading)
        cabinet.celsius = 5.0
        weak = await listened.health()
        assert (weak.status, weak.detail) == ("degraded", "battery at 5 %")
        cabinet.celsius = 90.0
        assert (await listened.health()).status == "ok"


async def test_a_register_that_is_not_there_is_refused_and_a_busy_device_is_not(tmp_path: Path) -> None:
    cabinet = Cabinet()
    absent = {"name": "temperature_c", "address": 999}
    async with modbus_cabinet.on_tcp(cabinet) as port:
        async with fridge(tmp_path, tcp(port, registers=[absent])) as listened:
            with pytest.raises(DeviceRefusedError, match="exception 2"):
                await listened.fails()
        cabinet.refusal = ExcCodes.DEVICE_BUSY
        async with fridge(tmp_path, tcp(port)) as listened:
            with pytest.raises(DeviceUnreachableError, match="exception 6"):
                await listened.fails()


async def test_a_line_that_breaks_is_lost_and_taken_up_again(tmp_path: Path) -> None:
    port = free_port()
    async with modbus_cabinet.on_tcp(Cabinet(), port=port), fridge(tmp_path, tcp(port)) as listened:
        await listened.record(Reading)
    async with fridge(tmp_path, tcp(port)) as other:
        with pytest.raises(DeviceUnreachableError):
            await other.fails()
        async with modbus_cabinet.on_tcp(Cabinet(), port=port), fridge(tmp_path, tcp(port), "fridge-2") as listened:
            # the second device has the line that is broken for the first, and repairs it
            assert (await listened.record(Reading)).device == "fridge-2"


async def test_a_missing_package_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.thermometer.find_spec", lambda name: None if name == "pymodbus" else object())
    with pytest.raises(ConfigurationError, match=r"needs pymodbus: install diwang\[thermometer\]"):
        async with fridge(tmp_path, tcp(1)):
            pass


async def test_a_serial_port_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    async with fridge(tmp_path, bus("/dev/no-such-port")) as listened:
        with pytest.raises(DeviceUnreachableError, match="no-such-port"):
            await listened.fails()
