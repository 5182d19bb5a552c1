"""The camera driver over real streams: a file, RTSP, MJPEG over HTTP; and what breaks them."""

import asyncio
import base64
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest

from diwang.demo.scenes import Picture, covered_kitchen, encode, frozen_kitchen
from drivers.camera import SPEC
from drivers.camera.child import MEMORY_BYTES
from drivers.camera.options import CameraOptions
from drivers.contract import Report, Reports
from protocol.clock import SystemClock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import Event, EventState
from tests.simulators.camera_scenes import CLIPS
from tests.simulators.camera_viewer import viewing
from tests.simulators.mjpeg_camera import mjpeg_camera
from tests.simulators.ports import free_port
from tests.simulators.rtsp_server import RtspServer

QUICK = {"first_picture_s": 15.0, "silence_s": 2.0, "offline_after_s": 5.0, "recovered_after_s": 1.5}
HASTY = {"analysis_options": {"health": {"hold_s": 1.0, "learn_s": 2.0, "frozen_after_s": 3.0}}}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kitchen that is covered for four seconds after eight, one that freezes after four, and a large quiet one."""
    folder = tmp_path_factory.mktemp("clips")
    film = list(islice(covered_kitchen(), 460))
    encode(folder / "covered.mp4", iter(film[40:160] + film[410:460]))
    encode(folder / "frozen.mp4", islice(frozen_kitchen(), 240, 700))
    encode(folder / "quiet.mp4", islice(covered_kitchen(), 0, 100))
    with av.open(str(folder / "main.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.codec_context.max_b_frames = 0
        stream.options = {"preset": "ultrafast"}
        for picture in islice(covered_kitchen(), 30):
            large = np.asarray(cv2.resize(picture, (1280, 720)), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="bgr24")))
        container.mux(stream.encode(None))
    return folder


@pytest.fixture
async def server(clips: Path) -> AsyncIterator[RtspServer]:
    async with RtspServer(clips) as running:
        yield running


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if "drivers.camera.child" in child.cmdline()}


async def test_a_real_recording_plays_at_its_own_pace_and_ends(tmp_path: Path) -> None:
    async with viewing(tmp_path, url=f"file:{CLIPS['scene']}") as viewer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await viewer.until(lambda: viewer.ended, within_s=40)
        assert loop.time() - began > 12  # it has 12.5 s
    assert viewer.events == []
    assert not children()


async def test_a_covered_lens_is_told_with_its_picture(server: RtspServer, tmp_path: Path) -> None:
    async with viewing(tmp_path, url=server.url("covered.mp4"), **HASTY) as viewer:
        await viewer.until(lambda: len(viewer.events) == 2)
    began, ended = viewer.events
    assert viewer.story == [("covered", "began"), ("covered", "ended")]
    assert began.id == ended.id
    report = next(said for said in viewer.said if isinstance(said, Report))
    assert began.images == (hashlib.sha256(report.images[0]).hexdigest(),)
    picture = cv2.imdecode(np.frombuffer(report.images[0], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (360, 640, 3)
    assert picture[:, 20:560].mean() < 110  # the dark cloth, not the bright wall
    assert (tmp_path / "health/references").exists()


async def test_a_frozen_stream_is_told(server: RtspServer, tmp_path: Path) -> None:
    async with viewing(tmp_path, url=server.url("frozen.mp4"), **HASTY) as viewer:
        await viewer.until(lambda: len(viewer.events) == 1)
        assert viewer.story == [("frozen", "began")]


async def test_a_snapshot_comes_from_the_main_stream(server: RtspServer, tmp_path: Path) -> None:
    mask = [0.75, 0, 0.25, 0.5]
    options = {"url": server.url("main.mp4"), "sub_stream": server.url("quiet.mp4"), "masks": [mask]}
    async with viewing(tmp_path, **options) as viewer:
        await viewer.until(lambda: viewer.is_well)
        assert viewer.camera is not None
        answer = await viewer.camera.obey("snapshot", {})
        with pytest.raises(DeviceRefusedError, match="zoom"):
            await viewer.camera.obey("snapshot", {"zoom": 2})
        with pytest.raises(DeviceRefusedError, match="dance"):
            await viewer.camera.obey("dance", {})
    (report,) = answer.reports
    assert isinstance(report.record, Event)
    assert (report.record.type, report.record.state) == ("camera.snapshot", EventState.INSTANT)
    assert report.record.images == (answer.data["image"],)
    assert (answer.data["width"], answer.data["height"]) == (1280, 720)
    assert len(report.images[0]) <= 512 * 1024
    picture = cv2.imdecode(np.frombuffer(report.images[0], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (720, 1280, 3)
    assert picture[8:352, 968:].max() < 12  # masked; JPEG bleeds at its border
    assert picture[8:352, :944].mean() > 30
    assert answer.data["sharpness"] > 0
    assert 0 < answer.data["brightness"] < 1


async def test_a_snapshot_of_a_main_stream_that_is_not_there_is_refused(server: RtspServer, tmp_path: Path) -> None:
    options = {"url": server.url("nothing.mp4"), "sub_stream": server.url("quiet.mp4")}
    async with viewing(tmp_path, **options) as viewer:
        await viewer.until(lambda: viewer.is_well)
        assert viewer.camera is not None
        with pytest.raises(DeviceUnreachableError, match=r"nothing\.mp4"):
            await viewer.camera.obey("snapshot", {})


async def test_a_killed_server_is_offline_and_then_back(server: RtspServer, tmp_path: Path) -> None:
    async with viewing(tmp_path, url=server.url("quiet.mp4"), **QUICK) as viewer:
        await viewer.until(lambda: viewer.is_well)
        since = len(viewer.events)
        await server.kill()
        await viewer.until(lambda: viewer.story[since:] == [("offline", "began")], within_s=20)
        await viewer.until(lambda: "refused" in " ".join(viewer.lost))
        await server.start()
        await viewer.until(lambda: viewer.story[since:] == [("offline", "began"), ("offline", "ended")])
        assert viewer.events[since].id == viewer.events[since + 1].id
        await viewer.until(lambda: viewer.is_well)


async def test_a_server_that_hangs_is_stalled_then_offline_then_back(server: RtspServer, tmp_path: Path) -> None:
    async with viewing(tmp_path, url=server.url("quiet.mp4"), **QUICK) as viewer:
        await viewer.until(lambda: viewer.is_well)
        since, before = len(viewer.events), children()
        server.pause()
        story = [("stalled", "began"), ("stalled", "ended"), ("offline", "began"), ("offline", "ended")]
        await viewer.until(lambda: viewer.story[since:] == story[:1], within_s=20)
        await viewer.until(lambda: viewer.story[since:] == story[:3], within_s=20)
        server.go_on()
        await viewer.until(lambda: viewer.story[since:] == story)
        assert not children() & before


async def test_a_killed_process_is_started_again_and_goes_on_with_its_events(
    server: RtspServer, tmp_path: Path
) -> None:
    async with viewing(tmp_path, url=server.url("covered.mp4"), **HASTY) as viewer:
        await viewer.until(lambda: viewer.story == [("covered", "began")])
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        # The stream starts anew, uncovered, and the new process knows that it is to end something.
        await viewer.until(lambda: len(viewer.events) == 2)
        assert viewer.story == [("covered", "began"), ("covered", "ended")]
        assert viewer.events[0].id == viewer.events[1].id
        assert children() != {pid}
    assert not children()


AGENT = """
import asyncio, sys
from contextlib import aclosing
from pathlib import Path
from drivers.camera import SPEC
from drivers.camera.options import CameraOptions
from protocol import logs
from protocol.clock import SystemClock

logs.configure(program="agent")

async def main():
    async with SPEC.open("cam-1", CameraOptions(url=sys.argv[1]), SystemClock(), Path(sys.argv[2])) as camera:
        async with aclosing(camera.reports()) as reports:
            async for said in reports:
                print("well", flush=True)

asyncio.run(main())
"""


async def test_the_process_dies_with_a_killed_agent(server: RtspServer, tmp_path: Path) -> None:
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, server.url("quiet.mp4"), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert agent.stdout is not None
        async with asyncio.timeout(30):
            assert await agent.stdout.readline() == b"well\n"
        (camera,) = psutil.Process(agent.pid).children()
    finally:
        agent.kill()
        await agent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [camera], 5)
    assert not alive


async def test_closing_ends_the_process_even_when_nobody_closed_the_reports(clips: Path, tmp_path: Path) -> None:
    options = CameraOptions(url=f"file:{clips}/quiet.mp4", loop=True)
    async with SPEC.open("cam-1", options, SystemClock(), tmp_path) as camera:
        assert isinstance(camera, Reports)
        reports = camera.reports()
        await anext(reports)
        assert len(children()) == 1
    assert not children()


async def test_mjpeg_over_http_with_a_password_that_no_log_knows(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMERA_WORD", "g&h@im/1")
    login = "Basic " + base64.b64encode(b"viewer:g&h@im/1").decode()
    async with mjpeg_camera(_jpegs(covered_kitchen()), authorization=login) as port:
        url = f"http://127.0.0.1:{port}/video.mjpg?token=t0ken"
        login_as = {"username": "viewer", "password_env": "CAMERA_WORD"}
        async with viewing(tmp_path, url=url, **login_as) as viewer:
            await viewer.until(lambda: viewer.is_well)
            assert viewer.camera is not None
            answer = await viewer.camera.obey("snapshot", {})
            assert answer.data["width"] == 640
            command_lines = " ".join(" ".join(psutil.Process(pid).cmdline()) for pid in children())
        async with viewing(tmp_path, url=url, username="viewer", **QUICK) as viewer:
            await viewer.until(lambda: bool(viewer.lost), within_s=20)
    said = "".join(capfd.readouterr()) + command_lines + " ".join(viewer.lost)
    assert "401" in " ".join(viewer.lost) or "nauthorized" in " ".join(viewer.lost)
    assert "g&h" not in said
    assert "g%26h" not in said
    assert "t0ken" not in said


async def test_a_camera_that_floods_its_process_is_lost_and_costs_the_box_no_memory(tmp_path: Path) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\n"
            )
            writer.write(b"Content-Type: image/jpeg\r\nContent-Length: 2000000000\r\n\r\n")
            while True:
                writer.write(b"\x11" * 1_000_000)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    sizes = [0]
    try:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/video.mjpg"
        async with viewing(tmp_path, url=url, **{**QUICK, "first_picture_s": 3.0, "offline_after_s": 4.0}) as viewer:
            while not viewer.lost:  # the size of another process is nothing that anybody announces
                with suppress(psutil.Error):
                    sizes += [psutil.Process(pid).memory_info().rss for pid in children()]
                await asyncio.sleep(0.02)
    finally:
        server.close()
    assert max(sizes) < MEMORY_BYTES + (64 << 20)
    assert not children()


async def test_nobody_there_is_offline_and_stays_one_event(tmp_path: Path) -> None:
    quick = {**QUICK, "offline_after_s": 1.0}
    async with viewing(tmp_path, url=f"rtsp://127.0.0.1:{free_port()}/x", **quick) as viewer:
        await viewer.until(lambda: len(viewer.lost) == 3)
        assert viewer.story == [("offline", "began")]


def _jpegs(pictures: Iterator[Picture]) -> Iterator[bytes]:
    for picture in islice(pictures, 40):
        yield cv2.imencode(".jpg", picture)[1].tobytes()
