"""Looking around a box, and what is found becoming configuration: emulated below the drivers, on real files."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.camera import discovery
from edge import config as configuration
from edge.bundles import Bundles
from edge.installer import adding
from edge.installer.adding import Answers
from edge.installer.found import Found, Said, Trouble
from edge.installer.scanning import Around, rank, scan
from edge.installer.sources import bluetooth
from edge.installer.sources.serial_ports import Port
from edge.installer.writing import OfTheHubError, add_device, change_options, free_name, remove_device
from firmware_configs.gps import nmea_checksum
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from tests.simulators import airwaves, hid_scanner, onvif_camera
from tests.simulators import bthome_sensor as sensor
from tests.simulators.gps_units import on_terminal
from tests.simulators.onvif_camera import Camera, as_found, match
from tests.simulators.ports import free_port

GGA = "GNGGA,084501.00,2434.2000,N,11806.0000,E,1,11,0.9,12.0,M,9.0,M,,"
SCOPES = "onvif://www.onvif.org/name/HIKVISION%20DS-2CD2043 onvif://www.onvif.org/hardware/DS-2CD2043"
PASSWORD = "s3cret"  # noqa: S105 - of a simulator
SITE = """\
# 后厨 3 号, as the installer wrote it
[gateway]
id = "g1"   # on the sticker

[hub]
broker = "mqtt://127.0.0.1:1883"

[devices.fridge]   # by hand
driver = "tests.simulators.ticking:SPEC"
"""
PRINTER = {"line": {"kind": "ble", "address": "F0:F1:F2:F3:F4:F5"}, "profile": "generic-58"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE, encoding="utf-8")
    path.chmod(0o640)
    return path


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Around:
    """A box with nothing around it, and no Bluetooth."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    return Around(through=("127.0.0.1",), onvif_port=free_port(), ports=(), dev=tmp_path / "dev", sys=tmp_path / "sys")


async def everything(around: Around, known: tuple[str, ...] = (), seconds: float = 2.0) -> list[Said]:
    return [said async for said in scan(around, known, seconds)]


def found_in(said: list[Said]) -> list[Found]:
    return [each for each in said if isinstance(each, Found)]


async def test_a_source_that_fails_is_told_and_keeps_no_other_from_looking(around: Around) -> None:
    with onvif_camera.in_multicast([match("urn:uuid:1", "", SCOPES)]) as port:
        said = await everything(
            Around(through=("127.0.0.1",), onvif_port=port, ports=(), dev=around.dev, sys=around.sys)
        )
    assert [each.source for each in said if isinstance(each, Trouble)] == ["bluetooth"]
    (camera,) = found_in(said)
    assert (camera.kind, camera.place, camera.plausible, camera.why) == ("camera", "127.0.0.1", True, "onvif")
    assert camera.options["url"].startswith("rtsp://127.0.0.1:554/")


async def test_what_is_configured_already_is_passed_over(around: Around) -> None:
    with onvif_camera.in_multicast([match("urn:uuid:1", "", SCOPES)]) as port:
        here = Around(through=("127.0.0.1",), onvif_port=port, ports=(), dev=around.dev, sys=around.sys)
        assert found_in(await everything(here, known=("127.0.0.1",))) == []


async def test_without_a_network_cameras_are_told_as_trouble(around: Around) -> None:
    here = Around(through=(), ports=(), dev=around.dev, sys=around.sys)
    assert {each.source for each in await everything(here) if isinstance(each, Trouble)} == {"bluetooth", "cameras"}


async def test_a_receiver_is_told_from_a_silent_port_and_a_closed_one(around: Around, tmp_path: Path) -> None:
    with on_terminal() as (unit, speaking), on_terminal() as (_, silent):
        sentence = f"${GGA}*{nmea_checksum(GGA)}\r\n".encode()

        async def speak() -> None:
            while True:
                os.write(unit, sentence)
                await asyncio.sleep(0.2)

        telling = asyncio.create_task(speak())
        ports = (Port(speaking, "u-blox 7"), Port(silent, "USB serial"), Port(str(tmp_path / "none"), "gone"))
        here = Around(through=(), ports=ports, dev=around.dev, sys=around.sys)
        said = sorted(found_in(await everything(here, seconds=4.0)), key=rank)
        telling.cancel()
    assert [(each.place, each.why) for each in said[:1]] == [(speaking, "nmea")]
    assert said[0].options == {"source": {"kind": "serial", "port": speaking, "baud": 9600}}
    assert {each.why for each in said[1:]} == {"port_silent", "port_closed"}
    assert not any(each.plausible for each in said[1:])


async def test_what_is_plugged_in_is_named_as_it_names_itself(around: Around) -> None:
    for path, text in {
        "dev/usb/lp0": "",
        "dev/video0": "",
        "dev/video1": "",
        "sys/class/usbmisc/lp0/device/ieee1284_id": "MFG:EPSON;CMD:ESC/POS;MDL:TM-m30II;CLS:PRINTER;\x1b[31m",
        "sys/class/video4linux/video0/name": "USB Camera\n",
        "sys/class/video4linux/video0/index": "0\n",
        "sys/class/video4linux/video1/index": "1\n",
    }.items():
        place = around.dev.parent / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    said = found_in(await everything(around))
    assert [(each.kind, each.title) for each in said] == [("printer", "EPSON TM-m30II"), ("camera", "USB Camera")]
    assert said[1].options == {"url": f"usb:{around.dev}/video0"}


async def test_scanners_are_told_from_keyboards_and_named_by_a_lasting_link(around: Around) -> None:
    for number, (descriptor, name) in enumerate(
        [
            (hid_scanner.DESCRIPTOR, "Honeywell 1950\x1b[31m"),
            (hid_scanner.KEYBOARD, "Newland Barcode Scanner"),
            (hid_scanner.KEYBOARD, "Logitech Keyboard"),
            (b"\xc0", "Broken"),
            (hid_scanner.DESCRIPTOR, ""),
        ]
    ):
        around.dev.mkdir(exist_ok=True)
        (around.dev / f"hidraw{number}").touch()
        hid_scanner.describe(around.sys, f"hidraw{number}", descriptor, name)
    (around.dev / "hidraw5").touch()  # one of which the kernel shows nothing
    (around.dev / "diwang").mkdir()
    link = around.dev / "diwang/scanner-hid"
    link.symlink_to("../hidraw0")
    said = sorted(found_in(await everything(around)), key=rank)
    assert [(each.title, each.place, each.why) for each in said] == [
        ("Honeywell 1950[31m", str(link), "hid_scanner"),
        ("hidraw4", str(around.dev / "hidraw4"), "hid_scanner"),
        ("Newland Barcode Scanner", str(around.dev / "hidraw1"), "hid_keyboard"),
    ]
    assert [each.plausible for each in said] == [True, True, False]
    assert said[0].options == {"source": {"kind": "hid", "path": str(link)}}


async def test_sensors_are_told_apart_by_whether_they_need_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, sealed = "A4:C1:38:00:00:01", "A4:C1:38:00:00:02"
    async with airwaves.in_the_air(tmp_path) as (address, air):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)

        async def speak() -> None:
            await air.listened_to()
            while True:
                air.advertise(plain, sensor.SERVICE, sensor.clear(sensor.temperature(4)))
                air.advertise(sealed, sensor.SERVICE, sensor.encrypted(bytes(16), sealed, 1, sensor.temperature(4)))
                await asyncio.sleep(0.1)

        speaking = asyncio.create_task(speak())
        heard = {each.place: each async for each in bluetooth.advertisers(2.0)}
        speaking.cancel()
    assert {place: each.wants for place, each in heard.items()} == {plain: ("limits",), sealed: ("bind_key", "limits")}


def test_a_device_is_added_and_every_other_line_stays(file: Path) -> None:
    config = add_device(file, "printer-1", "printer", PRINTER)
    assert config.devices["printer-1"].options == PRINTER
    assert file.read_text(encoding="utf-8").startswith(SITE)
    assert file.stat().st_mode & 0o777 == 0o640
    assert configuration.load(file) == config
    assert free_name("printer", config.devices) == "printer-2"
    changed = change_options(file, "printer-1", {"broken_off": "reprint"})
    assert changed.devices["printer-1"].options == {**PRINTER, "broken_off": "reprint"}
    assert remove_device(file, "printer-1").devices.keys() == {"fridge"}
    assert file.read_text(encoding="utf-8").strip() == SITE.strip()


def test_a_secret_goes_into_a_file_of_its_own(file: Path) -> None:
    camera = {"url": "rtsp://192.168.1.64/", "username": "admin"}
    config = add_device(file, "camera-1", "camera", camera, {"password_file": "s3cret-canary"})
    kept = Path(config.devices["camera-1"].options["password_file"])
    assert kept.read_text() == "s3cret-canary"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "canary" not in file.read_text(encoding="utf-8")
    remove_device(file, "camera-1")
    assert not kept.exists()


@pytest.mark.parametrize(
    ("name", "driver", "options", "reason"),
    [
        ("Fridge 2", "printer", PRINTER, "name matches"),
        ("gateway", "printer", PRINTER, "is not 'gateway'"),
        ("fridge", "printer", PRINTER, "device of this name"),
        ("printer-1", "printer", {**PRINTER, "profile": "nothing"}, "no profile"),
        ("printer-1", "printer", {**PRINTER, "nonsense": 1}, "nonsense"),
        ("printer-1", "printers", PRINTER, "no driver"),
    ],
)
def test_what_the_agent_would_refuse_is_not_written(
    file: Path, name: str, driver: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        add_device(file, name, driver, options)
    assert file.read_text(encoding="utf-8") == SITE
    assert sorted(path.name for path in file.parent.iterdir()) == ["site.toml"]


def test_a_file_that_cannot_be_added_to_says_so(file: Path) -> None:
    inline = SITE.partition("[devices")[0].replace("#", "devices = { }\n#", 1)
    file.write_text(inline, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="written in a way"):
        add_device(file, "printer-1", "printer", PRINTER)
    assert file.read_text(encoding="utf-8") == inline


def test_a_device_that_was_written_by_hand_is_not_taken_out(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="by hand"):
        remove_device(file, "fridge")
    with pytest.raises(ConfigurationError, match="no such device"):
        remove_device(file, "nothing")


def test_devices_that_the_hub_configures_are_not_added_here(file: Path) -> None:
    bundles = Bundles(file.parent / "data")
    bundles.write(bundles.read().taken_over("1-0123456789ab"))
    with pytest.raises(OfTheHubError):
        add_device(file, "printer-1", "printer", PRINTER)
    assert file.read_text(encoding="utf-8") == SITE


async def test_a_camera_is_asked_for_its_streams_and_its_wrong_clock_is_told(file: Path) -> None:
    async with onvif_camera.on_http(Camera(clock_off=timedelta(minutes=-3))) as service:
        with pytest.raises(DeviceRefusedError):
            await adding.add(
                file, as_found(service), Answers(name="camera-1", username="admin", password=PASSWORD[::-1])
            )
        with pytest.raises(ConfigurationError, match="only to a user"):
            await adding.add(file, as_found(service), Answers(name="camera-1"))
        answers = Answers(name="camera-1", username="admin", password=PASSWORD)
        added = await adding.add(file, as_found(service), answers)
    assert added.clock_off_s == pytest.approx(-180, abs=20)
    assert added.config.devices["camera-1"].options["sub_stream"].endswith("102")
    assert PASSWORD not in repr(answers) + str(added.config.devices)
    gone = as_found(f"http://127.0.0.1:{free_port()}/onvif/device_service")
    with pytest.raises(DeviceUnreachableError):
        await adding.add(file, gone, Answers(name="camera-2", username="admin", password=PASSWORD))


async def test_a_sensor_gets_its_key_and_the_limits_of_its_label(file: Path) -> None:
    source = {"kind": "bthome", "address": "A4:C1:38:00:00:01"}
    found = Found(
        kind="thermometer",
        title="fridge",
        place=source["address"],
        plausible=True,
        why="bthome_encrypted",
        driver="thermometer",
        options={"source": source},
        wants=("bind_key", "limits"),
    )
    with pytest.raises(ConfigurationError, match="32 hexadecimal"):
        await adding.add(file, found, Answers(name="thermometer-1", bind_key="xyz"))
    added = await adding.add(file, found, Answers(name="thermometer-1", bind_key="0" * 32, low=0.0, high=8.0))
    options = added.config.devices["thermometer-1"].options
    assert options["limits"] == {"low": 0.0, "high": 8.0}
    kept = Path(options["source"]["bind_key_file"])
    assert await asyncio.to_thread(kept.read_text) == "0" * 32


def said_in(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def command(file: Path, *arguments: str, said: str = "", language: str = "en") -> subprocess.CompletedProcess[str]:
    options = ["--config", str(file), "--lang", language, "--through", "127.0.0.1"]
    return subprocess.run(
        [sys.executable, "-m", "diwang", "edge", "scan", *options, *arguments],
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={file.parent}/no-bus"},
    )


async def test_the_command_adds_what_is_chosen_and_says_what_it_could_not_search(file: Path) -> None:
    with onvif_camera.in_multicast([match("urn:uuid:1", "", SCOPES)], discovery.PORT):
        ran = await asyncio.to_thread(command, file, said="9\n1\nyard\n\n")
    assert ran.returncode == 0, ran.stderr
    assert "There is no such number" in ran.stderr
    assert "Bluetooth could not be searched" in ran.stderr
    assert "Written into" in ran.stdout
    assert "does not run" in ran.stdout
    assert configuration.load(file).devices["yard"].options["url"].startswith("rtsp://127.0.0.1:554/")
    assert said_in(file).startswith(SITE)


async def test_the_command_fails_when_what_is_to_be_added_is_not_there(file: Path) -> None:
    ran = await asyncio.to_thread(command, file, "--add", "192.0.2.99", language="zh-CN")
    assert ran.returncode == 1
    assert "没能用蓝牙搜索" in ran.stderr
    assert said_in(file) == SITE
