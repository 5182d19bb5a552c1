"""Asking cameras over ONVIF: real SOAP over HTTP, by the process that asks in the field."""

from datetime import timedelta

import pytest

from drivers.camera.onvif import Description, Question, Stream, ask
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from tests.simulators import onvif_camera
from tests.simulators.onvif_camera import Camera
from tests.simulators.ports import free_port

STREAMS = (
    Stream("main", "rtsp://127.0.0.1:554/Streaming/Channels/101", "H264", 2560, 1440, "http://127.0.0.1/snap.jpg"),
    Stream("sub", "rtsp://127.0.0.1:554/Streaming/Channels/102", "H264", 640, 360, "http://127.0.0.1/snap.jpg"),
)


async def asked(camera: Camera, password: str = "s3cret", timeout_s: float = 30) -> Description:  # noqa: S107 - a simulator's
    async with onvif_camera.on_http(camera) as service:
        return await ask(Question(service, "admin", password, timeout_s))


@pytest.mark.parametrize("off", [timedelta(0), timedelta(days=-200)], ids=str)
async def test_a_camera_is_described_whatever_its_clock_says(off: timedelta) -> None:
    description = await asked(Camera(clock_off=off))
    assert description.clock_offset_s == pytest.approx(off.total_seconds(), abs=30)
    assert (description.maker, description.model, description.serial) == ("Diwang", "K-1", "0001")
    assert description.streams == STREAMS
    assert (description.main, description.sub) == STREAMS


async def test_a_host_that_the_camera_names_is_neither_asked_nor_given() -> None:
    camera = Camera(names_host="192.0.2.99")
    assert (await asked(camera)).streams == STREAMS
    assert "GetProfiles" in camera.asked


async def test_a_camera_that_tells_no_utc_is_asked_with_the_boxs_time() -> None:
    description = await asked(Camera(tells_utc=False))
    assert description.clock_offset_s is None
    assert description.streams == STREAMS


async def test_an_address_that_holds_a_password_is_not_taken() -> None:
    assert (await asked(Camera(stream_query="?user=admin&amp;password=s3cret"))).streams == ()


async def test_a_wrong_password_is_refused_and_shown_to_nobody() -> None:
    with pytest.raises(DeviceRefusedError, match="refuses the user or the password") as refused:
        await asked(Camera(), "wr0ng-canary")
    assert "canary" not in str(refused.value)
    assert "canary" not in repr(Question("http://h", "admin", "wr0ng-canary"))


@pytest.mark.parametrize(
    "hostile",
    [
        b"<html>hello</html>",
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "' + b"a" * 5000 + b'">]><l>' + b"&a;" * 5000 + b"</l>",
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>',
        b"<a>" * 200_000,
    ],
    ids=["html", "bomb", "file", "deep"],
)
async def test_what_is_no_onvif_is_refused(hostile: bytes) -> None:
    with pytest.raises((DeviceRefusedError, DeviceUnreachableError)) as refused:
        await asked(Camera(hostile=hostile))
    assert "root:" not in str(refused.value)


async def test_a_camera_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(DeviceUnreachableError):
        await asked(Camera(silent=True), timeout_s=0.5)
    with pytest.raises(DeviceUnreachableError):
        await ask(Question(f"http://127.0.0.1:{free_port()}/onvif/device_service", timeout_s=20))


async def test_a_missing_package_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.camera.onvif.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"install diwang\[onvif\]"):
        await ask(Question("http://127.0.0.1"))


@pytest.mark.parametrize("service", ["rtsp://h", "h", "http://", "http://a:b@h", "http://h:0", "http://[h"])
async def test_what_is_no_address_is_not_asked(service: str) -> None:
    with pytest.raises(ConfigurationError, match="http://host"):
        await ask(Question(service))
