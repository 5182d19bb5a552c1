"""kill -9 of the hub and of who sends in the middle of an upload: real processes, and each clip whole in the end."""

import asyncio
import hashlib
import signal
import sys
from pathlib import Path

import pytest

from tests.faults.programs import Hub
from tests.faults.uploads import MIB, Trial, arrived
from tests.footage import Clip
from tests.simulators.edge_process import ROOT

SENDER = """
import sys
from tusclient.client import TusClient
url, key, file, sha256 = sys.argv[1:]
client = TusClient(url, headers={"Authorization": f"Bearer {key}"})
sender = client.uploader(file, chunk_size=700_001, metadata={"sha256": sha256, "filetype": "video/mp4"},
                         retries=60, retry_delay=0.5, upload_checksum=True)
sender.upload()
"""
"""A stranger: tus-py-client, which knows nothing of us."""

PATIENCE_S = 120


@pytest.mark.timeout(300)  # several programs start, one after the other
async def test_kills_of_either_side_lose_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, limit_kib_s=6_000)
    try:
        await trial.start()
        await trial.carry(8 * MIB, 1, [(2 * MIB, "box"), (6 * MIB, "box")])
        await trial.judge()
        assert (trial.outcome.wrong, trial.outcome.kills) == ([], 2)
        await a_stranger_uploads_through_kills(trial.hub, trial.key, tmp_path)
    finally:
        await trial.stop()


async def a_stranger_uploads_through_kills(hub: Hub, key: str, folder: Path) -> None:
    clip = Clip.of(6_000_000)
    file = folder / "clip.mp4"
    file.write_bytes(clip.payload)
    arguments = (sys.executable, "-c", SENDER, f"{hub.url}/api/v1/uploads", key, str(file), clip.sha256)
    sender = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await reached(hub, sender, 1_500_000)
            sender.send_signal(signal.SIGKILL)
            await sender.wait()
            sender = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT)
            await reached(hub, sender, 3_000_000)
            await hub.end(signal.SIGKILL)
            await hub.start()
            await hub.ready()
            assert await sender.wait() == 0
    finally:
        if sender.returncode is None:
            sender.kill()
            await sender.wait()
    kept = hub.data / "footage" / clip.sha256[:2] / clip.sha256
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == clip.sha256


async def reached(hub: Hub, sender: asyncio.subprocess.Process, size: int) -> None:
    """Return once so many bytes are on the hub's disk, or the sender is through."""
    while sender.returncode is None and arrived(hub) < size:  # noqa: ASYNC110 - a file of another process
        await asyncio.sleep(0.002)
