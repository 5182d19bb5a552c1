"""What watching a camera costs: the health detectors beside the decoding of the same pictures, and memory per camera.

    python -m tests.bench.bench_camera

Prints milliseconds of CPU per picture and their ratios; nothing passes or fails on them.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
from av.video.reformatter import Interpolation, VideoReformatter

from diwang.demo.scenes import FPS, Picture, encode, frozen_kitchen
from drivers.camera import SPEC
from drivers.camera.analysis import HEIGHT, WIDTH, Frame
from drivers.camera.options import CameraOptions
from edge.vision.health import open_health
from edge.vision.options import HealthOptions
from protocol import logs
from protocol.clock import SystemClock
from tests.bench import measuring, tables
from tests.simulators.camera_scenes import CLIPS, covered, moved

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
PICTURES = 250
CAMERAS = 3
Tamper = Callable[[Picture, int], Picture]


def frames(clip: Path) -> Iterator[av.VideoFrame]:
    """Decode the first PICTURES of a clip, with one thread."""
    with av.open(str(clip)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(video=0)):
            if number == PICTURES:
                return
            yield frame


def decoding(clip: Path) -> float:
    """CPU milliseconds per picture to decode only."""
    began = time.process_time()
    count = sum(1 for _ in frames(clip))
    return (time.process_time() - began) * 1000 / count


def scaling(clip: Path) -> float:
    """CPU milliseconds per picture to bring a decoded one to the analysed size and to BGR."""
    scale, spent, count = VideoReformatter(), 0.0, 0
    for frame in frames(clip):
        began = time.process_time()
        scale.reformat(frame, WIDTH, HEIGHT, format="bgr24", interpolation=Interpolation.AREA).to_ndarray()
        spent, count = spent + time.process_time() - began, count + 1
    return spent * 1000 / count


def detecting(clip: Path, tamper: Tamper | None = None) -> tuple[float, float]:
    """CPU milliseconds per analysed picture in the detectors: mean and 99th percentile."""
    scale, costs = VideoReformatter(), []
    with tempfile.TemporaryDirectory() as folder:
        health = open_health(HealthOptions(), Path(folder), frozenset())
        for number, frame in enumerate(frames(clip)):
            bgr = np.asarray(scale.reformat(frame, WIDTH, HEIGHT, format="bgr24").to_ndarray(), np.uint8)
            if tamper and number > PICTURES // 4:
                bgr = tamper(bgr, number)
            began = time.process_time()
            list(health.inspect(Frame(AT, number / 5, bgr)))
            costs.append((time.process_time() - began) * 1000)
    return statistics.fmean(costs), statistics.quantiles(costs, n=100)[-1]


async def memory(clip: Path) -> list[float]:
    """Proportional set size in MB of the processes of 1 … CAMERAS cameras, together."""
    sizes: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            for number in range(CAMERAS):
                home = Path(folder) / f"cam-{number}"
                home.mkdir()
                options = CameraOptions(url=f"file:{clip}", loop=True)
                camera = await stack.enter_async_context(SPEC.open(f"cam-{number}", options, SystemClock(), home))
                reports = await stack.enter_async_context(aclosing(camera.reports()))  # type: ignore[attr-defined]
                await anext(reports)  # its first word is that it is well
                await asyncio.sleep(8)  # its reference is learned
                sizes.append(sum(measuring.memory(child.pid).pss for child in psutil.Process().children()))
    return sizes


def main() -> None:
    """Measure and print."""
    logs.configure(program="bench", level="error")
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        kitchen = Path(folder) / "kitchen.mp4"
        encode(kitchen, (picture for _, picture in zip(range(PICTURES), frozen_kitchen(), strict=False)))
        cases: list[tuple[str, Path, Tamper | None]] = [
            (name, clip, None) for name, clip in CLIPS.items() if name != "light"
        ]
        cases += [("kitchen, drawn", kitchen, None)]
        cases += [("still, covered", CLIPS["still"], covered(0.85)), ("still, moved", CLIPS["still"], moved(0.2, 2))]
        rows = []
        for name, clip, tamper in cases:
            decode, scale, (mean, high) = decoding(clip), scaling(clip), detecting(clip, tamper)
            rows.append((name, *(f"{cost:.2f}" for cost in (decode, scale, mean, high, mean / decode))))
        sizes = asyncio.run(memory(kitchen))
    tables.heading("Camera health: CPU per picture and memory per camera")
    tables.note(
        f"{PICTURES} pictures of each clip, milliseconds of CPU, one thread. To hold: <= 3 ms in the detectors."
    )
    tables.table(("clip", "decode", "to 640x360 BGR", "detectors, mean", "p99", "detectors / decode"), rows)
    further = (sizes[-1] - sizes[0]) / (CAMERAS - 1)
    together = ", ".join(f"{size:.0f}" for size in sizes)
    tables.note(f"PSS of 1 … {CAMERAS} cameras at {FPS} pictures/s: {together} MB; each further one {further:.0f} MB.")


if __name__ == "__main__":
    main()
