"""A box's data folder with footage in it, and the process that carries it, as the agent starts it."""

import asyncio
import hashlib
import signal
import sys
from pathlib import Path
from random import Random
from typing import Self

import msgspec

from drivers.footage import FOLDER, Carriage, Clip, Footage, carriage
from edge.config import load
from edge.upload_words import GO, Begin, Outcome
from protocol.clock import SystemClock
from tests.simulators.edge_process import ROOT

CLOCK = SystemClock()


def clip_of(device: str, content: bytes) -> Clip:
    return Clip(
        sha256=hashlib.sha256(content).hexdigest(),
        sm3=hashlib.new("sm3", content).hexdigest(),
        bytes=len(content),
        device=device,
        file_name="执法\\x00 1.mp4",
        kept_at=CLOCK.now(),
        event=CLOCK.new_id(),
        began_at=CLOCK.now(),
        ended_at=CLOCK.now(),
    )


def noise(size: int, seed: int = 0) -> bytes:
    return Random(seed).randbytes(size)


class FootageBox:
    """A box with one recorder."""

    def __init__(self, folder: Path, port: int, *, device: str = "recorder-1", **settings: float) -> None:
        self.folder = folder / "devices" / device / FOLDER
        self.device = device
        self.footage = Footage(self.folder.parent)
        self.footage.load()
        lines = "".join(f"{name} = {value}\n" for name, value in {"longest_wait_s": 1.0, **settings}.items())
        file = folder.parent / "site.toml"
        file.write_text(
            f'[gateway]\nid = "g1"\ndata = "{folder.name}"\n'
            f'[hub]\nbroker = "mqtt://127.0.0.1"\napi = "http://127.0.0.1:{port}"\n[uploads]\n{lines}'
        )
        self.config = load(file)

    def keep(self, content: bytes) -> Clip:
        """Keep a clip as a driver does."""
        clip = clip_of(self.device, content)
        self.footage.part(clip.event).write_bytes(content)
        self.footage.keep(clip)
        return clip

    def carriage(self, clip: Clip) -> Carriage:
        return carriage(self.folder, clip.sha256)


class Carrying:
    """The process that carries, to be killed and started again."""

    def __init__(self, box: FootageBox, password: str = "") -> None:
        self._begin = Begin(config=box.config, password=password)
        self.process: asyncio.subprocess.Process | None = None
        self.lives = 0

    async def start(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "edge.carrying",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self.say(msgspec.json.encode(self._begin))
        self.say(GO)
        self.lives += 1
        return self

    def say(self, line: bytes) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")

    async def hear(self) -> Outcome | None:
        """Return its next outcome, None when it ends."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        return msgspec.json.decode(line, type=Outcome) if line else None

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.communicate()

    async def end(self) -> int:
        """Wait for its end and return its exit code."""
        assert self.process is not None
        await self.process.communicate()
        return await self.process.wait()
