"""A vendor's station over FTP, on real sockets."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from drivers.recorder import SPEC
from drivers.recorder.options import RecorderOptions
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from tests.simulators.ftp_station import FtpStation, ftp_station
from tests.simulators.ports import free_port
from tests.simulators.recorder_units import dock, film, put

CLOCK = SystemClock()
NAME = "DCIM/1234567_035012_2026112408{:02}00_{:04}.MP4"
BIG = film(1) + os.urandom(3 << 20)


def at(station: FtpStation, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("STATION_PASSWORD", "secret")
    url = f"ftp://127.0.0.1:{station.port}/offered"
    return {"url": url, "username": "box", "password_env": "STATION_PASSWORD"}


@pytest.mark.parametrize("is_old", [False, True], ids=["by facts", "by names"])
async def test_footage_of_a_station_is_taken_over_ftp(
    *, is_old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = tmp_path / "station/offered"
    put(offered, NAME.format(30, 1), BIG)
    put(offered, b"DCIM/" + "执法".encode("gbk") + b".mp4", film(2))
    put(offered, "elsewhere/not-footage.mp4", film(3))
    async with ftp_station(tmp_path / "station", "box", "secret") as station:
        station.is_old = is_old
        station.listings = [
            b"type=file;size=5; ../../escape.mp4",
            b"type=file;size=5; ..",
            b"type=file;size=5;nonsense",
        ]
        async with dock(tmp_path, CLOCK, **at(station, monkeypatch)) as here:
            told = await here.told("recorder.clip", 2)
            put(offered, NAME.format(40, 2), film(4))
            told = await here.told("recorder.clip", 3)
        assert station.written == []
    assert {clip.data["file_name"] for clip in told} == {
        "1234567_035012_20261124083000_0001.MP4",
        "执法.mp4",
        "1234567_035012_20261124084000_0002.MP4",
    }
    kept = tmp_path / "box/footage"
    assert (kept / hashlib.sha256(BIG).hexdigest()).read_bytes() == BIG


async def test_a_transfer_that_breaks_off_is_no_clip_and_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "station/offered", NAME.format(30, 1), BIG)
    async with ftp_station(tmp_path / "station", "box", "secret") as station:
        station.cut_after = 1 << 20
        options = at(station, monkeypatch)
        with pytest.raises(DeviceUnreachableError):
            async with dock(tmp_path, CLOCK, **options) as here:
                await here.told("recorder.clip")
        assert [path.name for path in (tmp_path / "box/footage").iterdir()] == ["incoming"]
        station.cut_after = None
        async with dock(tmp_path, CLOCK, **options) as here:
            (clip,) = await here.told("recorder.clip")
    assert clip.data["sha256"] == hashlib.sha256(BIG).hexdigest()


async def test_a_wrong_password_is_refused_and_a_dead_station_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ftp_station(tmp_path, "box", "another") as station:
        with pytest.raises(DeviceRefusedError):
            async with dock(tmp_path, CLOCK, **at(station, monkeypatch)) as here:
                await here.told("recorder.clip")
        station.greeting = "not a station at all"
        with pytest.raises(DeviceUnreachableError):
            async with dock(tmp_path, CLOCK, **at(station, monkeypatch)) as here:
                await here.told("recorder.clip")
    with pytest.raises(DeviceUnreachableError):
        async with dock(tmp_path, CLOCK, f"ftp://127.0.0.1:{free_port()}/x") as here:
            await here.told("recorder.clip")


async def test_a_password_comes_from_where_the_options_say(tmp_path: Path) -> None:
    options = RecorderOptions(url="ftp://127.0.0.1/x", password_file=str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        async with SPEC.open("r", options, CLOCK, tmp_path):
            pass
    (tmp_path / "secret").write_text("s3cret\n")
    assert RecorderOptions(url="ftp://h/x", password_file=str(tmp_path / "secret")).password() == "s3cret"
    with pytest.raises(ConfigurationError, match="NOT_SET_ANYWHERE"):
        RecorderOptions(url="ftp://h/x", password_env="NOT_SET_ANYWHERE").password()  # noqa: S106 - its name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://x/y"}, "must start with one of"),
        ({"url": "ftp://user:secret@host/x"}, "holds a name or a password"),
        ({"url": "ftp:///x"}, "names no host"),
        ({"url": "folder:relative"}, "no absolute folder"),
        ({"url": "ftp://h:99999/x"}, "is no address"),
        ({"url": "folder:/x", "password_file": "a", "password_env": "B"}, "not both"),
    ],
)
def test_options_that_no_dock_can_mean_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        RecorderOptions(**options)
    assert "secret" not in str(refused.value)


async def test_a_profile_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="zfy"):
        async with SPEC.open("r", RecorderOptions(url="folder:/x", profile="nobody"), CLOCK, tmp_path):
            pass
