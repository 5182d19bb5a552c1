"""Searching for cameras as an installer does: a call, questions, and a configuration that the box accepts."""

import tomllib
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diwang.edge_commands import app
from drivers import registry
from drivers.camera import discovery
from drivers.camera.discovery import Found
from drivers.camera.onvif import Description, Stream
from edge.cameras import searching, words
from edge.cameras.searching import Candidate, User
from protocol.errors import DeviceUnreachableError
from tests.simulators import onvif_camera
from tests.simulators.onvif_camera import Camera, match

NAME = "onvif://www.onvif.org/name/HIKVISION%20DS-2CD onvif://www.onvif.org/hardware/DS-2CD2143"


@pytest.fixture
def user(tmp_path: Path) -> User:
    (tmp_path / "password").write_text("s3cret\n", encoding="utf-8")
    return User("admin", tmp_path / "password")


async def test_a_camera_with_a_wrong_clock_becomes_a_device(user: User) -> None:
    camera, other = Camera(clock_off=timedelta(days=-200)), Camera(password="another")  # noqa: S106
    async with onvif_camera.on_http(camera) as service, onvif_camera.on_http(other) as other_service:
        answers: list[bytes | str] = [match("urn:uuid:1", service, NAME), match("urn:uuid:2", other_service, NAME)]
        with onvif_camera.in_multicast(answers) as port:
            told, refused = await searching.search(1.5, user, through=["127.0.0.1"], port=port)
    assert told.streams == (
        "rtsp://127.0.0.1:554/Streaming/Channels/101",
        "rtsp://127.0.0.1:554/Streaming/Channels/102",
    )
    assert "refuses the user" in refused.reason
    assert refused.brand is not None
    assert refused.streams == told.streams  # as the brand has them
    written = tomllib.loads(searching.section("camera-1", told.streams, user))["devices"]["camera-1"]
    registry.validate(written["driver"], "camera-1", written["options"])
    assert written["options"]["username"] == "admin"


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> list[Candidate]:
    """What a search finds."""
    candidates: list[Candidate] = []

    async def search(_seconds: float, _user: User | None) -> list[Candidate]:
        return candidates

    monkeypatch.setattr(searching, "search", search)
    return candidates


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["cameras", *arguments])


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_command_prints_what_can_be_put_into_a_file(around: list[Candidate], language: str, user: User) -> None:
    found = Found("192.0.2.7", "http://192.0.2.7/onvif/device_service", "urn:uuid:1", 'Küche "1"')
    streams = (Stream("main", "rtsp://192.0.2.7/1", width=1920), Stream("sub", "rtsp://192.0.2.7/2", width=640))
    hikvision = searching._brand(Found("192.0.2.8", "", "urn:uuid:2", "HIKVISION DS-2CD"))
    around += [
        Candidate(found, None, Description("Diwang", "K-1", clock_offset_s=-17_280_000.0, streams=streams)),
        Candidate(Found("192.0.2.8", "", "urn:uuid:2", "HIKVISION"), hikvision),
        Candidate(Found("192.0.2.9", "", "urn:uuid:3"), None),
        Candidate(Found("192.0.2.10", "", "urn:uuid:4"), hikvision, reason="it refuses the user or the password"),
        Candidate(Found("192.0.2.11", "", "urn:uuid:5"), None, Description("Diwang", "K-2")),
    ]
    said = run("--lang", language, "--username", user.name, "--password-file", str(user.password_file))
    assert said.exit_code == 0
    devices = tomllib.loads(said.stdout)["devices"]
    assert list(devices) == ["camera-1", "camera-2", "camera-4"]
    for name, device in devices.items():
        registry.validate(device["driver"], name, device["options"])
    assert "-17280000 " in said.stdout
    for code in ("not_asked", "unknown_brand", "no_stream", "own_users", "off_by_default"):
        assert words.in_words(language, code) in said.stdout
    assert "s3cret" not in said.output


def test_the_command_says_why_there_is_nothing(around: list[Candidate], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not around
    nothing = run("--lang", "en")
    assert (nothing.exit_code, "No camera answered" in nothing.output) == (1, True)
    assert run("--username", "admin").exit_code == 2
    assert run("--lang", "fr").exit_code == 2

    async def no_network(_seconds: float, _user: User | None) -> list[Candidate]:
        raise DeviceUnreachableError("there is no network to look for cameras in")

    monkeypatch.setattr(searching, "search", no_network)
    assert "no network" in run("--lang", "en").output


async def test_without_a_user_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def discover(_seconds: float, *, through: Iterable[str] | None, port: int) -> AsyncIterator[Found]:
        del through, port
        yield Found("192.0.2.7", "http://192.0.2.7/onvif/device_service", "urn:uuid:1", "IPC", "Dahua")

    monkeypatch.setattr(discovery, "discover", discover)
    (candidate,) = await searching.search(1, None)
    assert candidate.brand is not None
    assert candidate.brand.maker == "Dahua"
    assert candidate.description is None


def test_both_languages_have_the_same_words() -> None:
    chinese, english = (words.catalogue(language) for language in words.LANGUAGES)
    assert chinese.keys() == english.keys()
