"""Kills the hub and the box's carrier in the middle of uploads, cuts the line every megabyte, and says what came of it.

    python -m tests.faults.uploads --kills 50

What counts: every clip is at the hub byte for byte, was received once, and nothing unfinished is left behind; and the
cuts cost at most MOST_TRAFFIC times the clip's size.
"""

import argparse
import asyncio
import hashlib
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from drivers.footage import Clip
from tests.faults.programs import Hub
from tests.simulators.fault_proxy import FaultProxy
from tests.simulators.footage_box import Carrying, FootageBox, noise
from tests.simulators.ports import free_port

PATIENCE_S = 120.0
LOOKED_EVERY_S = 0.005
MIB = 1 << 20
MOST_TRAFFIC = 1.3


@dataclass
class Outcome:
    """What came of a trial."""

    clips: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    bytes: int = 0


class Trial:
    """A hub and a box, both real, and somebody who kills them."""

    def __init__(
        self, folder: Path, *, limit_kib_s: float, http_port: int | None = None, box_port: int | None = None
    ) -> None:
        """The hub listens on `http_port`; the box goes there, or to a line before it that listens on `box_port`."""
        http_port = http_port or free_port()
        self.hub = Hub(folder / "hub", folder / "hub.log", http_port=http_port, mqtt_port=free_port())
        self._box = FootageBox(folder / "box", box_port or http_port, limit_kib_s=limit_kib_s)
        self._carrying: Carrying | None = None
        self.key = ""
        self.outcome = Outcome()

    async def start(self) -> None:
        self.key = self.hub.new_key()
        await self.hub.start()
        await self.hub.ready()
        async with self._client() as http:
            made = (await http.post("/gateways", json={"gateway": "g1"})).json()
        self._carrying = Carrying(self._box, made["password"])

    async def stop(self) -> None:
        if self._carrying is not None and self._carrying.process is not None:
            await self._carrying.kill()
        if self.hub.process is not None:
            await self.hub.end(signal.SIGTERM)

    async def carry(self, size: int, seed: int, kills: list[tuple[int, str]]) -> None:
        """Carry one clip; kill `hub` or `box` when so many of its bytes have come."""
        began = time.monotonic()
        clip = self._box.keep(noise(size, seed))
        async with asyncio.timeout(PATIENCE_S):
            for place, victim in kills:
                while self._arrived() < place and not self._confirmed(clip):
                    await self._look_again()
                if self._confirmed(clip):
                    break
                await self._kill(victim)
            while not self._confirmed(clip):
                await self._look_again()
        self.outcome.seconds += time.monotonic() - began
        self.outcome.clips += 1
        self.outcome.bytes += size

    async def judge(self) -> None:
        """Compare what the hub has with what the box had."""
        async with self._client() as http:
            items = (await http.get("/footage", params={"limit": 500})).json()["items"]
            entries = (await http.get("/custody/entries", params={"limit": 500})).json()["items"]
        kept = {item["sha256"]: item for item in items}
        for clip in self._box.footage.clips.values():
            path = self.hub.data / "footage" / clip.sha256[:2] / clip.sha256
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "nothing"
            received = [entry for entry in entries if entry["item"] == clip.sha256]
            if found != clip.sha256 or kept[clip.sha256]["state"] != "kept" or len(received) != 1:
                self.outcome.wrong.append(f"{clip.sha256}: {found}, received {len(received)} times")
        left = list((self.hub.data / "uploads").iterdir())
        if left:
            self.outcome.wrong.append(f"{len(left)} unfinished files were left behind")

    async def _kill(self, victim: str) -> None:
        self.outcome.kills += 1
        if victim == "hub":
            await self.hub.end(signal.SIGKILL)
            await self.hub.start()
            await self.hub.ready()
        elif self._carrying is not None:
            await self._carrying.kill()

    async def _look_again(self) -> None:
        """Wait a moment; start the carrier when it does not run, as the agent does: it ends when the hub is away."""
        carrying = self._carrying
        if carrying is not None and (carrying.process is None or carrying.process.returncode is not None):
            await carrying.start()
        await asyncio.sleep(LOOKED_EVERY_S)

    def _arrived(self) -> int:
        return arrived(self.hub)

    def _confirmed(self, clip: Clip) -> bool:
        return self._box.carriage(clip).confirmed_at is not None

    def _client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(base_url=f"{self.hub.url}/api/v1", headers=headers, trust_env=False, timeout=30)


def arrived(hub: Hub) -> int:
    """Return how many bytes the hub has of the upload that has come furthest."""
    try:
        return max((file.stat().st_size for file in (hub.data / "uploads").iterdir()), default=0)
    except FileNotFoundError:  # none yet, or it was completed while we looked
        return 0


def plan(random: Random, size: int, kills: int) -> list[tuple[int, str]]:
    """Return where in a clip who is killed, hub and box by turns."""
    places = sorted(random.randrange(size // 20, size) for _ in range(kills))
    first = random.randrange(2)
    return [(place, ("hub", "box")[(number + first) % 2]) for number, place in enumerate(places)]


async def run(kills: int, seed: int, *, size: int = 24 * MIB) -> Outcome:
    """Run until so many kills hit, then carry one clip undisturbed to see how fast it goes."""
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="diwang-uploads-") as folder:
        trial = Trial(Path(folder), limit_kib_s=6_000)
        try:
            await trial.start()
            number = 0
            while trial.outcome.kills < kills:
                number += 1
                await trial.carry(size, number, plan(random, size, min(5, kills - trial.outcome.kills)))
                print(f"{trial.outcome.kills:4} kills, {number} clips", flush=True)
            await trial.judge()
        finally:
            await trial.stop()
    return trial.outcome


async def undisturbed(size: int = 64 * MIB) -> float:
    """Return MB/s of one clip from box to evidence when nobody kills anything."""
    with tempfile.TemporaryDirectory(prefix="diwang-uploads-") as folder:
        trial = Trial(Path(folder), limit_kib_s=10_000_000)
        try:
            await trial.start()
            await trial.carry(size, 0, [])
        finally:
            await trial.stop()
    return size / 1e6 / trial.outcome.seconds


async def cut(size: int = 48 * MIB, every: int = MIB) -> tuple[Outcome, FaultProxy]:
    """Carry one clip over a line that breaks after so many bytes of each connection; return the line's counters too."""
    http_port = free_port()
    with tempfile.TemporaryDirectory(prefix="diwang-uploads-") as folder:
        async with FaultProxy(http_port) as line:
            trial = Trial(Path(folder), limit_kib_s=10_000_000, http_port=http_port, box_port=line.port)
            try:
                await trial.start()
                line.set(cut_after=every)
                await trial.carry(size, 0, [])
                await trial.judge()
            finally:
                await trial.stop()
    return trial.outcome, line


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill hub and box in mid-upload; print what was lost")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    outcome = asyncio.run(run(arguments.kills, arguments.seed))
    hurt, line = asyncio.run(cut())
    traffic = line.counters.bytes_up / hurt.bytes
    wrong = outcome.wrong + hurt.wrong
    if traffic > MOST_TRAFFIC:
        wrong.append(f"cuts cost {traffic:.3f} times the size of the clip")
    rate = asyncio.run(undisturbed())
    facts: dict[str, Any] = {
        "kills": outcome.kills,
        "clips": outcome.clips,
        "wrong": len(wrong),
        "cuts": line.counters.cuts,
        "traffic": round(traffic, 3),
        "undisturbed_mb_s": round(rate, 1),
    }
    print(facts, *wrong, sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
