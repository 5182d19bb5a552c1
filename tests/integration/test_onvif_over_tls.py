"""Cameras asked over HTTPS: real TLS with self-signed certificates, pinned, trusted on first use, and exchanged."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.camera import SPEC, onvif
from drivers.camera.camera import Camera as Driver
from drivers.camera.describing import Describer
from drivers.camera.onvif import OtherCertificateError, Question
from drivers.camera.options import CameraOptions
from drivers.contract import Health, Obeys
from edge.installer import adding
from edge.installer.adding import Answers
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState
from tests.simulators import onvif_camera
from tests.simulators.onvif_camera import Camera, as_found, certificate
from tests.simulators.ports import free_port

USER, PASSWORD = "admin", "s3cret"
URL = "rtsp://127.0.0.1/1"


def question(service: str, pinned: str | None = None, password: str = PASSWORD) -> Question:
    return Question(service, USER, password, 30, certificate=pinned)


async def test_a_camera_is_asked_over_tls_alone_and_tells_its_certificate(tmp_path: Path) -> None:
    context, fingerprint = certificate(tmp_path)
    camera = Camera(names_host="192.0.2.99")
    async with onvif_camera.on_https(camera, context) as service:
        first = await onvif.ask(question(service))
        pinned = await onvif.ask(question(service, fingerprint))
        with pytest.raises(DeviceRefusedError, match="refuses the user"):
            await onvif.ask(question(service, fingerprint, "wr0ng"))
    assert first.certificate == pinned.certificate == fingerprint
    assert [stream.profile for stream in first.streams] == ["main", "sub"]


async def test_nothing_is_said_to_a_camera_with_another_certificate(tmp_path: Path) -> None:
    context, fingerprint = certificate(tmp_path)
    camera = Camera()
    async with onvif_camera.on_https(camera, context) as service:
        with pytest.raises(OtherCertificateError, match=fingerprint):
            await onvif.ask(question(service, "0" * 64))
    assert camera.asked == []


async def test_a_service_that_speaks_no_tls_is_unreachable() -> None:
    async with onvif_camera.on_http(Camera()) as service:
        with pytest.raises(DeviceUnreachableError, match="no TLS"):
            await onvif.ask(question(service.replace("http:", "https:")))
    with pytest.raises(DeviceUnreachableError):
        await onvif.ask(question(f"https://127.0.0.1:{free_port()}/onvif/device_service"))


async def test_what_it_showed_first_is_trusted_across_restarts_and_nothing_else(tmp_path: Path) -> None:
    context, fingerprint = certificate(tmp_path)
    port = free_port()
    async with onvif_camera.on_https(Camera(), context, port) as service:
        options = CameraOptions(url=URL, username=USER, service=service)
        describer = Describer(options, PASSWORD, tmp_path)
        assert describer.note == ""
        told = await describer.describe()
        assert (told["model"], told["certificate"], told["certificate_trust"]) == ("K-1", fingerprint, "first_use")
        assert fingerprint in describer.note
    impostor, other = certificate(tmp_path, "impostor")
    again = Describer(options, PASSWORD, tmp_path)
    assert fingerprint in again.note
    async with onvif_camera.on_https(Camera(), impostor, port):
        with pytest.raises(OtherCertificateError):
            await again.describe()
        assert again.trouble
        pinned = Describer(
            CameraOptions(url=URL, username=USER, service=service, certificate=other), PASSWORD, tmp_path
        )
        assert (await pinned.describe())["certificate_trust"] == "pinned"
        assert (pinned.note, pinned.trouble) == ("", "")
    async with onvif_camera.on_https(Camera(), context, port):
        await again.describe()
    assert not again.trouble


async def test_a_trust_that_cannot_be_read_is_not_given_anew(tmp_path: Path) -> None:
    (tmp_path / "certificate.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Describer(CameraOptions(url=URL, service="https://127.0.0.1"), None, tmp_path)


async def test_the_status_says_that_a_certificate_was_trusted_and_that_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YARD_CAMERA", PASSWORD)
    context, fingerprint = certificate(tmp_path)
    impostor, _ = certificate(tmp_path, "impostor")
    port = free_port()
    options: dict[str, Any] = {"url": "file:none.mp4", "service": f"https://127.0.0.1:{port}", "username": USER}
    options["password_env"] = "YARD_CAMERA"  # noqa: S105 - the name of a variable
    camera = Driver("cam-1", msgspec.convert(options, CameraOptions), SystemClock(), tmp_path)
    async with onvif_camera.on_https(Camera(), context, port):
        answer = await camera.obey("describe", {})
    assert answer.data["certificate"] == fingerprint
    assert list(camera._how_it_is()) == [Health(DeviceState.OK, f"certificate trusted on first use: {fingerprint}")]
    async with onvif_camera.on_https(Camera(), impostor, port):
        with pytest.raises(OtherCertificateError):
            await camera.obey("describe", {})
    assert list(camera._how_it_is()) == [Health(DeviceState.DEGRADED, "it shows another certificate than before")]


async def test_a_camera_without_a_service_is_not_asked(tmp_path: Path) -> None:
    async with SPEC.open("cam-1", CameraOptions(url=URL), SystemClock(), tmp_path) as camera:
        assert isinstance(camera, Obeys)
        with pytest.raises(DeviceRefusedError, match="names no `service`"):
            await camera.obey("describe", {})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"certificate": "0" * 64}, "no use without"),
        ({"service": "http://127.0.0.1", "certificate": "0" * 64}, "only an ONVIF service at https"),
        ({"service": "https://admin:s3cret@127.0.0.1"}, "without a user"),
        ({"service": "https://127.0.0.1", "certificate": "AB:CD"}, "certificate"),
    ],
)
def test_options_that_mean_no_camera_are_refused(options: dict[str, str], reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason) as refused:
        msgspec.convert({"url": URL, **options}, CameraOptions)
    assert "s3cret" not in str(refused.value)


async def test_the_installer_pins_what_the_camera_shows(tmp_path: Path) -> None:
    context, fingerprint = certificate(tmp_path)
    async with onvif_camera.on_https(Camera(), context) as service:
        answers = Answers(name="camera-1", username=USER, password=PASSWORD)
        options = (await adding._asked(as_found(service), answers))[0]
    assert (options["service"], options["certificate"]) == (service, fingerprint)
    assert options["url"].startswith("rtsp://127.0.0.1:554/")
