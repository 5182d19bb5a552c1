"""The box's carrier and a server that is not ours: all bytes arrive, and what it does not confirm is not forgotten."""

import asyncio
from pathlib import Path

from edge.carrying import AWAY
from tests.simulators.footage_box import Carrying, FootageBox, noise
from tests.simulators.tus_node_server import tus_node_server

PATIENCE_S = 60
SIZE = 3_000_001


async def test_a_clip_reaches_a_strangers_server_through_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    async with tus_node_server(folder) as port, asyncio.timeout(PATIENCE_S):
        box = FootageBox(tmp_path / "box", port, limit_kib_s=2_000)
        clip = box.keep(noise(SIZE, 1))
        carrying = await Carrying(box).start()
        while largest(folder) < SIZE // 4:  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.005)
        await carrying.kill()
        assert largest(folder) < SIZE
        await carrying.start()
        assert await carrying.end() == AWAY
    (kept,) = (file for file in folder.iterdir() if file.suffix != ".json")
    assert kept.read_bytes() == noise(SIZE, 1)
    assert box.carriage(clip).confirmed_at is None
    assert (box.folder / clip.sha256).exists()


def largest(folder: Path) -> int:
    return max((file.stat().st_size for file in folder.iterdir()), default=0)
