"""How fast a docked recorder is taken in, beside the pace of its medium, and what the agent with it occupies.

    python -m tests.bench.bench_recorder

The medium is a folder of this machine's own disk, out of the page cache, read at the pace of a real recorder; and once
at no pace, where the same disk gives, takes and gives back every byte, which no dock with a medium of its own has to.
"""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from drivers.recorder import folders
from protocol.clock import SystemClock
from tests.bench import tables
from tests.bench.measuring import memory
from tests.simulators.edge_process import EdgeProcess
from tests.simulators.nats_server import nats_server
from tests.simulators.ports import free_port
from tests.simulators.recorder_units import dock, put

CLIP_BYTES = 96 << 20
CLIPS = 5
PACES = {"USB 2.0 recorder, 40 MB/s, read alone": 40e6, "this disk to itself, copied plainly and flushed": 0.0}
AHEAD_BYTES = 4 << 20
"""What the kernel reads ahead of a program that is busy with what it has."""

BLOCK = 2 << 20
SETTLE_S = 6.0
PATIENCE_S = 100.0


class Paced:
    """What `drivers.recorder.folders` takes for `os`: it reads no faster than a medium gives."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def read(self, descriptor: int, size: int) -> bytes:
        piece = os.read(descriptor, size)
        if self._rate:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - AHEAD_BYTES / self._rate) + len(piece) / self._rate
            time.sleep(max(0.0, self._free_at - now))
        return piece


def unit(folder: Path) -> list[Path]:
    """Lay clips on a medium, and out of the page cache."""
    files = [
        put(folder, f"DCIM/1234567_035012_2026112408{number:02}00_0001.MP4", os.urandom(CLIP_BYTES))
        for number in range(CLIPS)
    ]
    for file in files:
        forget(file)
    return files


def forget(file: Path) -> None:
    with file.open("rb") as open_file:
        os.fsync(open_file.fileno())
        os.posix_fadvise(open_file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def medium_rate(files: list[Path], rate: float) -> float:
    """Return the bytes a second at which the medium alone is read."""
    reading = Paced(rate)
    began = time.monotonic()
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        while reading.read(descriptor, BLOCK):
            pass
        os.close(descriptor)
    took_s = time.monotonic() - began
    for file in files:
        forget(file)
    return CLIPS * CLIP_BYTES / took_s


def plain_rate(files: list[Path], copy: Path) -> float:
    """Return the bytes a second of a copy on the same disk that is flushed, and neither hashed nor read back."""
    began = time.monotonic()
    for file in files:
        shutil.copyfile(file, copy)
        forget(copy)
    took_s = time.monotonic() - began
    copy.unlink()
    for file in files:
        forget(file)
    return CLIPS * CLIP_BYTES / took_s


async def ingest_rate(folder: Path, rate: float) -> float:
    """Return the bytes a second from docking until all is kept."""
    seam: Any = folders
    seam.os = Paced(rate)
    try:
        began = time.monotonic()
        async with dock(folder, SystemClock(), f"mount:{folder}/docks") as here:
            here.patience_s = PATIENCE_S
            await here.told("recorder.clip", CLIPS)
        return CLIPS * CLIP_BYTES / (time.monotonic() - began)
    finally:
        seam.os = os


async def rates() -> None:
    rows = []
    for name, rate in PACES.items():
        with tempfile.TemporaryDirectory(prefix="diwang-bench-") as place:
            folder = Path(place)
            files = unit(folder / "docks/unit-a")
            alone = medium_rate(files, rate) if rate else plain_rate(files, folder / "plain")
            taken = await ingest_rate(folder, rate)
        rows.append((name, f"{alone / 1e6:.0f}", f"{taken / 1e6:.0f}", f"{taken / alone:.0%}"))
    tables.note(
        f"{CLIPS} clips of {CLIP_BYTES >> 20} MiB: copied with two hashes, flushed, read back from the disk, looked "
        "into, noted. To hold: >= 80 % of the medium's own rate."
    )
    tables.table(("medium", "alone MB/s", "taken in MB/s", "share"), rows)


async def occupied() -> None:
    """Print the memory of an agent with printer, GPS and recorder, and of its process that carries footage."""
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as place:
        folder = Path(place)
        (folder / "docks").mkdir()
        async with nats_server(folder / "nats") as broker:
            config = folder / "site.toml"
            config.write_text(
                f"""
[gateway]
id = "g1"
[hub]
broker = "mqtt://127.0.0.1:{broker.mqtt_port}"
api = "http://127.0.0.1:{free_port()}"
[devices.printer-1]
driver = "printer"
options = {{ profile = "generic-58", line = {{ kind = "ble", name = "P-58" }} }}
[devices.gps-1]
driver = "gps.nmea"
options = {{ source = {{ kind = "tcp", host = "127.0.0.1", port = {free_port()} }} }}
[devices.recorder-1]
driver = "recorder"
options = {{ url = "mount:{folder}/docks", mounted = false, reserve_bytes = 0 }}
"""
            )
            edge = await EdgeProcess(config).start()
            await asyncio.sleep(SETTLE_S)
            put(folder / "docks/unit-a", "DCIM/1234567_035012_20261124080000_0001.MP4", os.urandom(CLIP_BYTES))
            most, beside = 0.0, 0.0
            for _ in range(40):
                most = max(most, memory(edge.pid).rss)
                children = psutil.Process(edge.pid).children()
                beside = max([beside, *(memory(child.pid).rss for child in children if child.is_running())])
                await asyncio.sleep(0.2)
            await edge.end()
    tables.note("To hold: the agent with printer, GPS and recorder <= 80 MB.")
    rows = [
        ("agent, at most while it takes in a clip", f"{most:.0f}"),
        ("largest process beside it (decoder, uploads), while it lives", f"{beside:.0f}"),
    ]
    tables.table(("process", "RSS MB"), rows)


def main() -> None:
    tables.heading("Recorders: docking, hashing, reading back")
    asyncio.run(rates())
    asyncio.run(occupied())


if __name__ == "__main__":
    main()
