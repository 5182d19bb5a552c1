"""The small parts of the camera driver: options, addresses, the channel, pictures, presence, back-off."""

import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera import SPEC
from drivers.camera.backoff import backoff
from drivers.camera.channel import (
    MAX_BYTES,
    Alive,
    Begin,
    Connected,
    Ended,
    Found,
    FromChild,
    Lost,
    NotTaken,
    Taken,
    from_child,
    pack,
)
from drivers.camera.options import CameraOptions
from drivers.camera.picture import blacken, jpeg, measures
from drivers.camera.presence import OFFLINE, STALLED, Change, Presence
from drivers.camera.sources import source_of
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, UndecodableMessageError
from protocol.messages import MAX_MESSAGE_BYTES, EventState, Severity

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
BEGAN, ENDED = EventState.BEGAN, EventState.ENDED


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"url": "ftp://camera/"}, "must start with"),
        ({"url": "camera"}, "must start with"),
        ({"url": "rtsp:///stream"}, "names no host"),
        ({"url": "usb:"}, "names no device"),
        ({"url": "file:"}, "names no file"),
        ({"url": "rtsp://admin:geheim@camera/1"}, "holds a name or a password"),
        ({"url": "rtsp://camera/1", "sub_stream": "rtsp://geheim@camera/2"}, "`sub_stream` holds"),
        ({"url": "rtsp://geheim:port/"}, "no address"),
        ({"url": "rtsp://camera/", "password_env": "WORD"}, "needs a `username`"),
        ({"url": "rtsp://camera/", "masks": [[0, 0, 1.5, 1]]}, "masks"),
        ({"url": "rtsp://camera/", "masks": [[0, 0, 1]]}, "masks"),
        ({"url": "rtsp://camera/", "username": "u", "password_env": "W", "password_file": "f"}, "not both"),
        ({"url": "rtsp://camera/", "analysed_per_s": 0}, "analysed_per_s"),
        ({"url": "rtsp://camera/", "offline_after": 3}, "offline_after"),
    ],
)
def test_a_wrong_option_is_named_and_no_address_repeated(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says) as raised:
        msgspec.convert(wrong, CameraOptions)
    assert "geheim" not in str(raised.value)


def test_the_password_comes_from_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_WORD", "from the environment")
    login: dict[str, Any] = {"url": "rtsp://camera/1", "username": "viewer"}
    assert CameraOptions(**login).password() is None
    assert CameraOptions(**login, password_env="CAMERA_WORD").password() == "from the environment"  # noqa: S106
    file = tmp_path / "word"
    file.write_text("from the file\n", encoding="utf-8")
    assert CameraOptions(**login, password_file=str(file)).password() == "from the file"
    monkeypatch.delenv("CAMERA_WORD")
    with pytest.raises(ConfigurationError, match="CAMERA_WORD"):
        CameraOptions(**login, password_env="CAMERA_WORD").password()  # noqa: S106
    with pytest.raises(ConfigurationError, match="password_file"):
        CameraOptions(**login, password_file=str(tmp_path / "none")).password()


def test_what_is_shown_of_a_source_is_no_secret() -> None:
    source = source_of("rtsp://10.0.0.8:554/ch1?token=geheim", "ad:min", "ge@heim/1")
    assert source.url == "rtsp://ad%3Amin:ge%40heim%2F1@10.0.0.8:554/ch1?token=geheim"
    assert source.shown == "rtsp://10.0.0.8:554/ch1"
    assert "heim" not in repr(source)
    assert source.options == {"rtsp_transport": "tcp"}


def test_each_kind_of_source_is_opened_its_own_way() -> None:
    assert source_of("usb:/dev/video2").format == "v4l2"
    assert source_of("usb:/dev/video2").url == "/dev/video2"
    assert source_of("file:clips/a b.mp4").url == "clips/a b.mp4"
    assert source_of("file:///clips/a.mp4").url == "/clips/a.mp4"
    assert source_of("file:a.mp4").paced
    assert not source_of("http://camera/video").paced


def test_what_is_shown_of_a_beginning_is_no_secret() -> None:
    begin = Begin(options=CameraOptions(url="rtsp://camera/?k=geheim"), password="geheim", folder="cam")  # noqa: S106
    assert "geheim" not in repr(begin)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"analyses": ("phrenology",)}, "no analysis 'phrenology'; installed: .*health"),
        ({"analysis_options": {"health": {"hold_for": 1}}}, "hold_for"),
        ({"analysis_options": {"health": {"hold_s": 0}}}, "hold_s"),
        ({"analysis_options": {"rodent": {}}}, "rodent, which `analyses` does not name"),
    ],
)
async def test_a_wrong_analysis_is_named_before_the_camera_is_opened(
    wrong: dict[str, Any], says: str, tmp_path: Path
) -> None:
    options = CameraOptions(url="usb:/dev/video0", **wrong)
    with pytest.raises(ConfigurationError, match=says):
        async with SPEC.open("cam-1", options, SystemClock(), tmp_path):
            pass


@pytest.mark.parametrize("module", ["drivers.camera", "edge.vision"])
def test_the_agent_does_not_load_what_only_a_camera_needs(module: str) -> None:
    code = f"import sys, {module}; assert not {{'av', 'cv2', 'numpy'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


WORDS: st.SearchStrategy[FromChild] = st.one_of(
    st.builds(Connected, width=st.integers(1, 9000), height=st.integers(1, 9000)),
    st.builds(Alive, pictures=st.integers(0, 2**50)),
    st.builds(
        Found,
        at=st.just(AT),
        type=st.text(max_size=20),
        state=st.sampled_from(EventState),
        severity=st.sampled_from(Severity),
        score=st.floats(0, 1),
        data=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=3),
        picture=st.binary(max_size=300),
    ),
    st.builds(
        Taken,
        number=st.integers(0, 99),
        at=st.just(AT),
        width=st.just(1),
        height=st.just(1),
        brightness=st.floats(0, 1),
        sharpness=st.floats(0, 100),
        picture=st.binary(),
    ),
    st.builds(NotTaken, number=st.integers(0, 99), reason=st.text(max_size=30)),
    st.builds(Lost, reason=st.text(max_size=30)),
    st.builds(Ended),
)


@given(words=st.lists(WORDS, max_size=8), cuts=st.lists(st.integers(1, 50), min_size=1))
def test_the_channel_gives_back_what_went_in_however_it_is_cut(words: list[FromChild], cuts: list[int]) -> None:
    stream = b"".join(pack(word) for word in words)
    unpacker, heard, place, turn = from_child(), [], 0, 0
    while place < len(stream):
        unpacker.feed(stream[place : place + cuts[turn % len(cuts)]])
        place, turn = place + cuts[turn % len(cuts)], turn + 1
        heard += list(unpacker)
    assert heard == words


@given(noise=st.binary(min_size=4, max_size=200))
def test_noise_on_the_channel_is_refused_or_awaited(noise: bytes) -> None:
    unpacker = from_child()
    unpacker.feed(noise)
    try:
        heard = list(unpacker)
    except UndecodableMessageError:
        return
    assert all(isinstance(word, FromChild) for word in heard)


def test_the_channel_is_bounded() -> None:
    with pytest.raises(ValueError, match="at most"):
        pack(Lost(reason="x" * MAX_BYTES))
    unpacker = from_child()
    unpacker.feed(b"\x7f\xff\xff\xff")
    with pytest.raises(UndecodableMessageError, match="at most"):
        list(unpacker)


@pytest.mark.parametrize("limit", [MAX_MESSAGE_BYTES, 60_000, 9_000])
def test_a_picture_fits_the_wire_however_noisy(limit: int) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (1080, 1920, 3), np.uint8)
    body = jpeg(noise, limit)
    assert len(body) <= limit
    picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[1] / picture.shape[0] == pytest.approx(1920 / 1080, abs=0.1)


def test_a_quiet_picture_keeps_its_size() -> None:
    picture = cv2.imdecode(np.frombuffer(jpeg(np.full((720, 1280, 3), 90, np.uint8)), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (720, 1280, 3)


def test_a_picture_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        jpeg(np.zeros((40, 40, 3), np.uint8), 10)


def test_waits_double_to_a_minute_and_are_never_quite_the_same() -> None:
    waits = list(islice(backoff(), 12))
    for wait, bound in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60], strict=True):
        assert 0.75 * bound <= wait <= bound
    assert len(set(waits[6:])) > 1


def presence(*open_types: str) -> Presence:
    return Presence(CameraOptions(url="usb:/dev/video0"), frozenset(open_types), 100.0)


def test_silence_of_a_connected_camera_stalls_it_and_half_a_minute_takes_it_offline() -> None:
    camera = presence()
    camera.attempt(100)
    camera.connected()
    assert camera.picture(101) == []
    assert not camera.overdue(110.9)
    assert camera.wait_s(105) == 6
    assert camera.overdue(111)
    assert camera.dropped() == [Change(STALLED, BEGAN)]
    camera.attempt(112)
    assert camera.check(130.9) == []
    assert camera.check(131) == [Change(STALLED, ENDED), Change(OFFLINE, BEGAN)]
    assert camera.check(140) == []
    assert camera.gone_in_s(140) == 0


def test_a_camera_that_never_answered_is_not_stalled() -> None:
    camera = presence()
    camera.attempt(100)
    assert camera.overdue(120)
    assert camera.dropped() == []
    assert camera.check(130) == [Change(OFFLINE, BEGAN)]


def test_only_a_steady_run_of_pictures_is_a_recovery() -> None:
    camera = presence(OFFLINE)
    camera.attempt(100)
    assert [camera.picture(101 + second) for second in range(9)] == [[]] * 9
    assert camera.picture(115) == []  # six seconds without one
    assert [camera.picture(116 + second) for second in range(9)] == [[]] * 9
    assert camera.picture(125) == [Change(OFFLINE, ENDED)]
    assert camera.was_steady


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["picture", "attempt", "connected", "dropped", "check"]), st.floats(0, 40))
    )
)
def test_presence_never_ends_what_did_not_begin(steps: list[tuple[str, float]]) -> None:
    camera, now, open_types = presence(), 100.0, set[str]()
    for step, seconds in steps:
        now += seconds
        changes: list[Change] = []
        match step:
            case "picture":
                changes = camera.picture(now)
            case "attempt":
                camera.attempt(now)
            case "connected":
                camera.connected()
            case "dropped":
                changes = camera.dropped()
            case "check":
                changes = camera.check(now)
        for change in changes:
            if change.state is BEGAN:
                assert change.kind not in open_types
                open_types.add(change.kind)
            else:
                open_types.remove(change.kind)
        assert len(open_types) <= 1
        assert camera.wait_s(now) >= 0


def test_what_is_masked_is_black_to_the_last_dot() -> None:
    picture = np.full((90, 160, 3), 200, np.uint8)
    blacken(picture, [(0.25, 0.5, 0.5, 0.5), (0.999, 0.0, 1.0, 0.001)])
    assert not picture[45:, 40:120].any()
    assert not picture[0, 159].any()
    assert int((picture == 0).all(axis=2).sum()) == 45 * 80 + 1
    blacken(picture, [(0, 0, 1, 1)])
    assert not picture.any()


def test_a_picture_is_measured_the_same_at_any_size_and_blur_shows() -> None:
    chance = np.random.default_rng(5)
    small = chance.integers(0, 256, (45, 80, 3), np.uint8)
    sharp = np.asarray(cv2.resize(small, (640, 360), interpolation=cv2.INTER_NEAREST), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2), np.uint8)
    large = np.asarray(cv2.resize(sharp, (1280, 720), interpolation=cv2.INTER_NEAREST), np.uint8)
    assert measures(blurred).sharpness < measures(sharp).sharpness / 4
    assert measures(large).sharpness == pytest.approx(measures(sharp).sharpness, rel=0.05)
    assert measures(np.zeros((90, 160, 3), np.uint8)) == (0, 0)
    assert measures(np.full((90, 160, 3), 255, np.uint8)).brightness == 1
