import asyncio
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from edge.outbox import Lane, Limits
from protocol import codec
from protocol.errors import StoreUnavailableError
from tests.simulators.full_disk import FullDisk
from tests.unit.test_outbox import ack, event, events_until_full, numbers, opened, reading, take_all

LIMITS = Limits(max_bytes=1 << 30, max_age_s=86_400, batch_records=9, batch_bytes=100_000)
BALLAST = 600_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FullDisk]:
    full = FullDisk(tmp_path, 1_500_000)
    yield full
    full.close()


async def test_events_are_kept_until_the_last_byte_and_then_the_source_is_held_back(
    disk: FullDisk, tmp_path: Path
) -> None:
    async with opened(tmp_path, LIMITS, ballast_bytes=BALLAST) as outbox:
        kept = await events_until_full(outbox, picture_bytes=2_000)
        assert disk.refusals
        assert kept > 100
        assert (await outbox.status()).records == kept

        batch = await outbox.take(Lane.LIVE)
        assert numbers(codec.decode_batch(batch.payload).batch.records)
        await outbox.settle(ack(batch.id, images=batch.images))
        await outbox.append([event(kept)])
        held = sorted([*numbers(codec.decode_batch(batch.payload).batch.records), *await take_all(outbox)])
        assert held == list(range(kept + 1))
    check = apsw.Connection(str(tmp_path / "o.db"))
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


@pytest.mark.usefixtures("disk")
async def test_telemetry_gives_way_to_events(tmp_path: Path) -> None:
    async with opened(tmp_path, LIMITS, ballast_bytes=BALLAST) as outbox:
        said = 0
        while not (await outbox.status()).dropped:
            await outbox.append([reading(said + each, padding=500) for each in range(10)])
            said += 10
        for number in range(100):
            await outbox.append([event(said + number)])
        left = sorted(await take_all(outbox))
        dropped = (await outbox.status()).dropped
        assert left == list(range(dropped, said + 100))


async def test_the_ballast_comes_back_when_there_is_room(disk: FullDisk, tmp_path: Path) -> None:
    ballast = tmp_path / "o.ballast"
    async with opened(tmp_path, LIMITS, ballast_bytes=BALLAST) as outbox:
        assert ballast.stat().st_blocks * 512 >= BALLAST
        while not disk.refusals:
            await outbox.append([reading(each, padding=500) for each in range(10)])
        disk.quota = 1 << 30
        await outbox.append([reading(1)])
        assert ballast.stat().st_size == BALLAST


async def test_a_damaged_file_is_set_aside_and_the_box_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.append([reading(1)])
        epoch = outbox.epoch
    await asyncio.to_thread((tmp_path / "o.db").write_bytes, b"not a database at all" * 1_000)
    async with opened(tmp_path) as outbox:
        assert outbox.epoch != epoch
        await outbox.append([reading(2)])
        assert await take_all(outbox) == [2]
    assert "o.damaged-" in await asyncio.to_thread(names, tmp_path)


async def test_damage_that_is_met_later_ends_the_owner_loudly_and_is_set_aside_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(tmp_path, LIMITS) as outbox:
        for first in range(0, 400, 40):
            await outbox.append([reading(first + each, padding=200) for each in range(40)])
    await asyncio.to_thread(overwrite_the_middle, tmp_path / "o.db")
    with pytest.raises(RuntimeError, match="has ended"):
        async with opened(tmp_path, LIMITS) as outbox:
            await take_all(outbox)
    assert "database_damaged" in capsys.readouterr().out
    async with opened(tmp_path, LIMITS) as outbox:
        await outbox.append([reading(7)])
        assert await take_all(outbox) == [7]
    async with opened(tmp_path, LIMITS) as outbox:
        assert (await outbox.status()).records == 0
    assert (await asyncio.to_thread(names, tmp_path)).count("o.damaged-") == 1


def overwrite_the_middle(file: Path) -> None:
    """Damage what was written long ago, as an old memory card does; the beginning, which opening reads, is whole."""
    content = bytearray(file.read_bytes())
    content[8 * 4096 : -4 * 4096] = b"\xa5" * (len(content) - 12 * 4096)
    file.write_bytes(content)


def names(folder: Path) -> str:
    return " ".join(file.name for file in folder.iterdir())


async def test_a_second_agent_on_the_same_folder_does_not_start(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(StoreUnavailableError, match="locked"):
            async with opened(tmp_path):
                pass
