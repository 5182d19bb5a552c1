"""Every profile of a device model is read, and what it says can be true: addresses, checksums, units, rules."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import firmware_configs
from firmware_configs import schema
from firmware_configs.cameras import CAMERAS, Camera
from firmware_configs.gateways import GATEWAYS
from firmware_configs.gps import GPS, GpsCommand, nmea_checksum, ubx_checksum
from firmware_configs.printers import PRINTERS
from firmware_configs.recorders import RECORDERS
from firmware_configs.schema import Family
from protocol.errors import ConfigurationError

ROOT = Path(firmware_configs.__file__).parent
LEAST: dict[Family[Any], int] = {CAMERAS: 3, GPS: 4, GATEWAYS: 2, PRINTERS: 4, RECORDERS: 3}


def every() -> list[tuple[Family[Any], str]]:
    return [(family, name) for family in LEAST for name in family.names()]


@pytest.mark.parametrize(("family", "name"), every(), ids=lambda each: getattr(each, "folder", each))
def test_every_file_is_read(family: Family[Any], name: str) -> None:
    profile = family.load(name)
    assert profile.maker
    assert profile.summary


@pytest.mark.parametrize("family", LEAST, ids=lambda each: each.folder)
def test_there_are_enough_and_no_file_is_overlooked(family: Family[Any]) -> None:
    assert len(family.names()) >= LEAST[family]
    assert {file.stem for file in (ROOT / family.folder).glob("*.toml")} == set(family.names())
    assert {folder.name for folder in ROOT.iterdir() if any(folder.glob("*.toml"))} == {each.folder for each in LEAST}


@pytest.mark.parametrize("name", CAMERAS.names())
@pytest.mark.parametrize("host", ["192.168.1.64", "cam-1.kitchen.example", "fe80::1"])
def test_streams_of_cameras_are_addresses(name: str, host: str) -> None:
    camera = CAMERAS.load(name)
    main, sub = camera.stream(host, channel=3), camera.stream(host, sub=True)
    assert main != sub
    for address, scheme, port in ((main, "rtsp", camera.rtsp_port), (sub, "rtsp", camera.rtsp_port)):
        url = urlsplit(address)
        assert (url.scheme, url.hostname, url.port, url.username) == (scheme, host, port, None)
        assert url.path.strip("/")
        assert "{" not in address
    if (still := camera.still(host)) is not None:
        assert urlsplit(still).hostname == host
    assert all(urlsplit(address).hostname == host for address in camera.onvif(host))
    assert not re.search(r"[A-Z]", "".join(camera.scopes))
    assert camera.is_named_in(f"onvif://www.onvif.org/name/{camera.scopes[0].upper()}")


def test_streams_are_where_the_makers_say() -> None:
    hikvision, dahua, uniview = (CAMERAS.load(name) for name in ("hikvision", "dahua", "uniview"))
    assert hikvision.stream("10.0.0.2") == "rtsp://10.0.0.2:554/Streaming/Channels/101"
    assert hikvision.stream("10.0.0.2", sub=True, channel=2) == "rtsp://10.0.0.2:554/Streaming/Channels/202"
    assert dahua.stream("10.0.0.2", sub=True) == "rtsp://10.0.0.2:554/cam/realmonitor?channel=1&subtype=1"
    assert uniview.stream("10.0.0.2") == "rtsp://10.0.0.2:554/media/video1"


@pytest.mark.parametrize(
    ("name", "command", "payload"),
    [
        ("quectel-l76k", "rate-1hz", b"$PCAS02,1000*2E\r\n"),
        ("quectel-l76k", "gps-beidou-glonass", b"$PCAS04,7*1E\r\n"),
        ("mediatek-mt3333", "rate-1hz", b"$PMTK220,1000*1F\r\n"),
        ("mediatek-mt3333", "baud-9600", b"$PMTK251,9600*17\r\n"),
        ("mediatek-mt3333", "restart-hot", b"$PMTK101*32\r\n"),
        ("u-blox-m8", "rate-1hz", bytes.fromhex("B5620608 0600E80301000100 0139")),
    ],
)
def test_commands_are_as_the_manuals_print_them(name: str, command: str, payload: bytes) -> None:
    found = GPS.load(name).command(command)
    assert found is not None
    assert found.payload == payload


@pytest.mark.parametrize("name", GPS.names())
def test_every_receiver_can_be_set_to_one_fix_a_second_of_gps_and_beidou(name: str) -> None:
    receiver = GPS.load(name)
    assert receiver.command("rate-1hz") is not None
    assert receiver.command("gps-beidou") is not None
    assert receiver.command("faster-than-light") is None
    assert {"rate", "constellations"} <= {command.purpose for command in receiver.commands}
    for command in receiver.commands:
        if command.nmea is not None:
            assert command.payload.endswith(f"*{nmea_checksum(command.nmea[1:-3])}\r\n".encode())
        else:
            assert command.payload[-2:] == ubx_checksum(command.payload[2:-2])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"nmea": "$PCAS02,1000*2F"}, "checksum"),
        ({"ubx": "B5 62 06 08 06 00 E8 03 01 00 01 00 01 38"}, "checksum"),
        ({"ubx": "B5 62 06 08 05 00 E8 03 01 00 01 00 01 39"}, "long"),
        ({"ubx": "B6 62 06 08 06 00 E8 03 01 00 01 00 01 39"}, "B5 62"),
        ({"nmea": "$PCAS02,1000*2E", "ubx": "B5 62 06 08 06 00 E8 03 01 00 01 00 01 39"}, "either"),
        ({}, "either"),
    ],
)
def test_a_command_that_its_receiver_would_refuse_is_no_command(said: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        GpsCommand(name="x", purpose="rate", does="x", **said)


@pytest.mark.parametrize("name", GATEWAYS.names())
def test_boards_name_files_that_are_there(name: str) -> None:
    board = GATEWAYS.load(name)
    for file in (*board.units, *board.udev):
        assert (ROOT / "gateways" / file).is_file(), file
    named = re.compile(r'SYMLINK\+="([^"]+)"')
    links = {f"/dev/{link}" for file in board.udev for link in named.findall((ROOT / "gateways" / file).read_text())}
    assert {line.path for line in board.serial if line.path.startswith("/dev/diwang/")} <= links


# systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.resource-control(5): sections and the keys used here.
UNIT_KEYS = {
    "Unit": {"Description", "After", "Wants", "StartLimitIntervalSec"},
    "Service": {
        "Type", "NotifyAccess", "ExecStart", "Restart", "RestartSec", "WatchdogSec", "KillMode",
        "TimeoutStopSec", "User", "Group", "SupplementaryGroups", "StateDirectory", "UMask",
        "NoNewPrivileges", "ProtectSystem", "ReadWritePaths", "ProtectHome", "PrivateTmp",
        "ProtectKernelModules", "ProtectKernelTunables", "ProtectControlGroups", "RestrictSUIDSGID",
        "LockPersonality", "RestrictAddressFamilies", "CapabilityBoundingSet", "MemoryMax", "OOMPolicy",
    },
    "Install": {"WantedBy"},
}  # fmt: skip


@pytest.mark.parametrize("unit", sorted((ROOT / "gateways").glob("*.service")), ids=lambda path: path.name)
def test_units_are_what_systemd_reads(unit: Path) -> None:
    section, seen = "", {}
    for number, line in enumerate(unit.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
            assert section in UNIT_KEYS, f"{unit.name}:{number}"
            continue
        assignment = re.fullmatch(r"([A-Z][A-Za-z]+)=(.*)", line)
        assert assignment, f"{unit.name}:{number}: {line}"
        assert assignment[1] in UNIT_KEYS[section], f"{unit.name}:{number}: {assignment[1]}"
        assert (section, assignment[1]) not in seen, f"{unit.name}:{number}: twice"
        seen[section, assignment[1]] = assignment[2]
    assert seen["Service", "ExecStart"].startswith("/")
    assert seen["Service", "User"] not in {"", "root"}
    assert seen["Service", "Restart"] == "always"
    assert int(seen["Service", "TimeoutStopSec"]) > 15 + 5  # the agent ends itself within that, the launcher later


RULE = re.compile(
    r'(SUBSYSTEM|KERNELS?|ACTION|ATTRS?\{[A-Za-z/]+\}|ENV\{[A-Z0-9_]+\}|SYMLINK|GROUP|MODE|TAG)(==|!=|\+=|=)"[^"\n]*"'
)
MATCHES, ASSIGNS = {"==", "!="}, {"=", "+="}


@pytest.mark.parametrize("rules", sorted((ROOT / "gateways").glob("*.rules")), ids=lambda path: path.name)
def test_rules_are_what_udev_reads(rules: Path) -> None:
    for number, line in enumerate(rules.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        pairs = [RULE.fullmatch(part.strip()) for part in line.split(",")]
        assert all(pairs), f"{rules.name}:{number}"
        found = [(pair[1], pair[2]) for pair in pairs if pair]
        assert any(operator in MATCHES for _, operator in found)
        assert any(operator in ASSIGNS for _, operator in found)
        for name, operator in found:
            assigned = name in {"SYMLINK", "GROUP", "MODE", "TAG"}
            assert (operator in ASSIGNS) is assigned, f"{rules.name}:{number}: {name}"


def test_what_the_hub_sends_is_found_before_what_the_package_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "cameras/dahua.toml").read_text().replace("Channels begin at 1", "Newer")
    (tmp_path / "cameras").mkdir()
    (tmp_path / "cameras/dahua.toml").write_text(text)
    (tmp_path / "cameras/new-brand.toml").write_text(text)
    (tmp_path / "cameras/No Name.toml").write_text(text)
    monkeypatch.setenv(schema.VARIABLE, str(tmp_path))
    assert CAMERAS.load("dahua").summary.startswith("Newer")
    assert CAMERAS.load("axis").maker == "Axis"
    assert "new-brand" in CAMERAS.names()
    assert "No Name" not in CAMERAS.names()


@pytest.mark.parametrize("name", ["nobody", "../gps/u-blox-m8", "", "A", "x" * 65, "dahua.toml", "dahua\n"])
def test_a_name_that_is_none_says_which_there_are(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"known: .*dahua.*hikvision"):
        CAMERAS.load(name)


@pytest.mark.parametrize(
    "change",
    [
        ('summary = "', 'sumary = "'),
        ('main = "rtsp://{host}', 'main = "rtsp://{user}@{host}'),
        ('main = "rtsp://{host}', 'main = "rtsp://admin:1@{host}'),
        ('main = "rtsp://{host}', 'main = "rtsp://10.0.0.1'),
        ('main = "rtsp', 'main = "http'),
        ("quirks = [", 'quirks = ["moody", '),
        ('main = "rtsp://{host}', 'main = "rtsp://{host'),
    ],
)
def test_a_file_with_a_mistake_names_itself(change: tuple[str, str]) -> None:
    text = (ROOT / "cameras/dahua.toml").read_text()
    assert change[0] in text
    with pytest.raises(ConfigurationError, match="cameras/dahua"):
        CAMERAS.parse(text.replace(*change).encode(), "dahua")


@pytest.mark.parametrize("content", [b"\xff", b"= 1", b"x" * (schema.LARGEST + 1), b"[" * 5000])
def test_what_is_no_file_of_ours_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        Family("cameras", Camera).parse(content, "x")
