"""Recorders that dock as folders: real files, real copies, real decoders; only the cable is a simulator."""

import asyncio
import errno
import hashlib
import os
import shutil
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drivers.footage import Carriage, Footage, clips, discard, note_carriage
from drivers.recorder import copying, folders
from drivers.recorder.media import Entry, UnreadableFileError
from protocol.clock import SystemClock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Severity
from tests.simulators.footage_box import FootageBox
from tests.simulators.recorder_units import Cable, dock, film, put

CLOCK = SystemClock()
MORNING = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
NAME = "DCIM/1234567_035012_2026112408{:02}00_{:04}.MP4"
BIG = film(1) + os.urandom(5 << 20)


def footage(tmp_path: Path) -> Path:
    return tmp_path / "box" / "footage"


def kept(tmp_path: Path) -> dict[str, bytes]:
    """The clips whose bytes lie on the box."""
    return {path.name: path.read_bytes() for path in footage(tmp_path).iterdir() if len(path.name) == 64}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_a_clip_is_copied_hashed_looked_into_and_told(tmp_path: Path) -> None:
    unit = tmp_path / "docks/unit-a"
    content = film(1, seconds=2.0)
    original = put(unit, NAME.format(30, 1), content, MORNING + timedelta(seconds=2))
    before = original.stat()
    put(unit, NAME.format(31, 2), b"")
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (clip,) = await here.told("recorder.clip")
        await here.until(lambda: bool(here.health))
    assert clip.data == {
        "sha256": digest(content),
        "sm3": hashlib.new("sm3", content).hexdigest(),
        "bytes": len(content),
        "file_name": "1234567_035012_20261124083000_0001.MP4",
        "folder": "DCIM",
        "medium": "unit-a",
        "began_at": "2026-11-24T00:30:00Z",
        "ended_at": "2026-11-24T00:30:02Z",
        "raw_began_at": "2026-11-24T00:30:00Z",
        "raw_ended_at": "2026-11-24T00:30:02Z",
        "time_source": "name",
        "modified_at": "2026-11-23T16:30:02Z",
        "clock_trust": "unmeasured",
        "claimed_unit": "1234567",
        "claimed_officer": "035012",
        "claimed_sequence": 1,
        "playable": True,
        "codec": "mpeg4",
        "width": 64,
        "height": 48,
        "duration_s": 2.0,
    }
    assert clip.clip is not None
    assert clip.clip.since == MORNING
    assert kept(tmp_path) == {digest(content): content}
    after = original.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    docked = here.of("recorder.docked")[0]
    assert (docked.data["files"], docked.data["empty"]) == (1, 1)
    assert here.health[-1].status is DeviceState.OK
    assert "unit-a" in here.health[-1].detail


async def test_a_unit_that_docks_again_is_known_and_its_new_clip_is_taken(tmp_path: Path) -> None:
    unit = tmp_path / "docks/unit-a"
    put(unit, NAME.format(30, 1), film(1))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        await here.told("recorder.clip")
        await here.until(lambda: bool(here.health) and "may be removed" in here.health[-1].detail)
        unit.rename(tmp_path / "pocket")
        (gone,) = await here.told("recorder.undocked")
        assert gone.data["complete"] is True
        put(tmp_path / "pocket", NAME.format(40, 2), film(2))
        (tmp_path / "pocket").rename(unit)
        await here.told("recorder.clip", 2)
        shutil.move(unit, tmp_path / "pocket")
        gone = (await here.told("recorder.undocked", 2))[1]
    assert gone.data["copied"] == 1
    assert gone.data["known"] == 1
    assert set(kept(tmp_path)) == {digest(film(1)), digest(film(2))}


async def test_the_same_bytes_under_another_name_are_not_kept_twice(tmp_path: Path) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), film(1))
    put(tmp_path / "docks/unit-b", "DCIM/copy.mp4", film(1))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        await here.told("recorder.docked", 2)
        await here.until(lambda: bool(here.health) and "unit-a, unit-b" in here.health[-1].detail)
        assert len(here.of("recorder.clip")) == 1
        status = (await here.driver.obey("footage", {})).data
    assert status["clips"] == 1
    assert [each["known"] for each in status["docked"]] == [0, 1]
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("error", [errno.ENODEV, errno.EIO], ids=["no-device", "input-output-error"])
async def test_pulled_out_in_mid_copy_it_ends_cleanly_and_goes_on_at_the_next_docking(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, pocket = tmp_path / "docks/unit-a", tmp_path / "pocket"
    put(unit, NAME.format(30, 1), film(1))
    put(unit, NAME.format(40, 2), BIG)
    put(unit, NAME.format(50, 3), film(3))
    monkeypatch.setattr(folders, "os", Cable(len(film(1)) + (3 << 20), lambda: unit.rename(pocket), error))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (gone,) = await here.told("recorder.undocked")
        assert gone.data["complete"] is False
        assert gone.data["copied"] == 1
        assert set(kept(tmp_path)) == {digest(film(1))}
        assert list((footage(tmp_path) / "incoming").iterdir()) == []
        monkeypatch.undo()
        pocket.rename(unit)
        told = await here.told("recorder.clip", 3)
    assert [clip.data["sha256"] for clip in told] == [digest(film(1)), digest(BIG), digest(film(3))]
    assert kept(tmp_path)[digest(BIG)] == BIG


async def test_a_file_that_cannot_be_read_is_told_and_the_others_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = tmp_path / "docks/unit-a"
    put(unit, NAME.format(30, 1), film(1))
    put(unit, NAME.format(40, 2), film(2))
    monkeypatch.setattr(folders, "os", OnceBad())
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (bad,) = await here.told("recorder.unreadable")
        await here.told("recorder.clip")
        await here.until(lambda: bool(here.health))
    assert bad.severity is Severity.MAJOR
    assert bad.data["file_name"] == "1234567_035012_20261124083000_0001.MP4"
    assert set(kept(tmp_path)) == {digest(film(2))}
    assert here.health[-1].status is DeviceState.DEGRADED


class OnceBad(Cable):
    """A medium with one bad sector, under the first file that is read."""

    def __init__(self) -> None:
        super().__init__(0, lambda: None, errno.EIO)
        self.bad = True

    def read(self, descriptor: int, size: int) -> bytes:
        if self.bad:
            self.bad = False
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.read(descriptor, size)


async def test_a_full_disk_keeps_its_reserve_and_the_docking_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), film(1))
    free = [len(film(1)) - 1]
    monkeypatch.setattr(copying.Room, "left", lambda _: free[0])
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (full,) = await here.told("recorder.no_room")
        await here.until(lambda: bool(here.health))
        assert here.health[-1].status is DeviceState.DEGRADED
        assert kept(tmp_path) == {}
        free[0] = 1 << 30
        await here.told("recorder.clip")
        await here.until(lambda: here.health[-1].status is DeviceState.OK)
    assert full.data["bytes"] == len(film(1))
    assert len(here.of("recorder.no_room")) == 1


async def test_the_disk_fills_in_mid_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), BIG)
    monkeypatch.setattr(copying, "_LOOK_AT_ROOM", 2 << 20)
    said, free = iter([1 << 30]), [0]  # room at the start, none in mid-copy, and then as it is
    monkeypatch.setattr(copying.Room, "left", lambda _: next(said, free[0]))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        await here.told("recorder.no_room")
        assert list((footage(tmp_path) / "incoming").iterdir()) == []
        free[0] = 1 << 30
        await here.told("recorder.clip")
    assert set(kept(tmp_path)) == {digest(BIG)}
    assert len(here.of("recorder.no_room")) == 1


async def test_a_bit_that_turns_on_the_box_is_found_by_reading_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), film(1))
    turning = iter([True, False])
    whole = copying.flush_out

    def flush_out(part: Path) -> None:
        whole(part)
        if next(turning, False):
            content = bytearray(part.read_bytes())
            content[len(content) // 2] ^= 1
            part.write_bytes(content)

    monkeypatch.setattr(copying, "flush_out", flush_out)
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (clip,) = await here.told("recorder.clip")
    (differs,) = here.of("recorder.copy_differs")
    assert differs.severity is Severity.CRITICAL
    assert differs.data["again"] is True
    assert clip.data["sha256"] == digest(film(1))
    assert kept(tmp_path) == {digest(film(1)): film(1)}


async def test_a_disk_that_turns_bits_again_is_given_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), film(1))
    monkeypatch.setattr(copying, "flush_out", lambda part: part.write_bytes(b"other"))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        first, second = await here.told("recorder.copy_differs", 2)
        await here.until(lambda: bool(here.health))
    assert (first.data["again"], second.data["again"]) == (True, False)
    assert here.health[-1].status is DeviceState.DEGRADED
    assert kept(tmp_path) == {}


async def test_unplayable_footage_is_kept_and_marked(tmp_path: Path) -> None:
    broken = film(1)[: len(film(1)) // 2]
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), broken, MORNING)
    put(tmp_path / "docks/unit-a", NAME.format(40, 2), os.urandom(9_999), MORNING)
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        told = await here.told("recorder.clip", 2)
    assert [clip.data["playable"] for clip in told] == [False, False]
    assert all(clip.data["reason"] for clip in told)
    assert len(kept(tmp_path)) == 2


async def test_hostile_names_lead_nowhere(tmp_path: Path) -> None:
    unit, secret = tmp_path / "docks/unit-a", tmp_path / "secret"
    put(secret, "private.mp4", b"not yours")
    put(unit, "DCIM/执法\u202e4pm.MP4".encode(), film(1))
    put(unit, b"DCIM/" + "执法记录".encode("gbk") + b".MP4", film(2))
    put(unit, b"DCIM/\xff\xfe\x80.MP4", film(3))
    put(unit, "DCIM/" + "x" * 251 + ".mp4", film(4))
    put(unit, "DCIM/a\nb;rm -rf.mp4", film(5))
    (unit / "DCIM/link.mp4").symlink_to(secret / "private.mp4")
    (unit / "DCIM/folder").symlink_to(secret)
    os.mkfifo(unit / "DCIM/pipe.mp4")
    deep = unit / "DCIM"
    for _ in range(12):
        deep /= "d"
    put(deep, "deep.mp4", film(6))
    with (unit / "DCIM/huge.mp4").open("wb") as huge:
        huge.truncate(1 << 40)
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks", largest_bytes=1 << 30) as here:
        told = await here.told("recorder.clip", 5)
        await here.until(lambda: bool(here.health))
    names = {clip.data["file_name"] for clip in told}
    assert "执法\\x202e4pm.MP4" in names
    assert "执法记录.MP4" in names
    assert "a\\x0ab;rm -rf.mp4" in names
    assert all(len(name) <= 200 and name.isprintable() for name in names)
    assert set(kept(tmp_path)) == {digest(film(seed)) for seed in range(1, 6)}
    (huge_told,) = here.of("recorder.unreadable")
    assert huge_told.data["file_name"] == "huge.mp4"
    assert stat.S_ISREG((secret / "private.mp4").stat().st_mode)


@pytest.mark.parametrize(
    "path", [(b"link.mp4",), (b"folder", b"private.mp4"), (b"..", b"secret", b"private.mp4"), (b"pipe.mp4",), ()]
)
def test_no_way_leads_out_of_a_medium(path: tuple[bytes, ...], tmp_path: Path) -> None:
    unit = tmp_path / "docks/unit-a"
    put(tmp_path / "secret", "private.mp4", b"not yours")
    put(tmp_path / "docks/secret", "private.mp4", b"not yours")
    unit.mkdir()
    (unit / "link.mp4").symlink_to(tmp_path / "secret/private.mp4")
    (unit / "folder").symlink_to(tmp_path / "secret")
    os.mkfifo(unit / "pipe.mp4")
    (medium,) = [each for each in folders.docked(str(tmp_path / "docks"), mounted=False) if each.label == "unit-a"]
    entry = Entry(path, 9, MORNING)
    with pytest.raises(UnreadableFileError), medium.open(entry) as source:
        source.read(9)
    assert not medium.unchanged(entry)
    assert medium.small("../secret/private.mp4") is None


def test_the_only_copy_is_never_deleted(tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", 1)
    clip = box.keep(b"evidence")
    assert discard(box.folder, clip) == 0
    assert box.footage.has(clip.sha256)
    note_carriage(box.folder, clip.sha256, Carriage(confirmed_at=CLOCK.now()))
    assert discard(box.folder, clip) == len(b"evidence")
    assert discard(box.folder, clip) == 0
    assert not box.footage.has(clip.sha256)


async def test_a_unit_whose_clock_was_never_set_keeps_its_raw_times_only(tmp_path: Path) -> None:
    never = datetime(1970, 1, 1, 8, 5, tzinfo=UTC)
    put(tmp_path / "docks/unit-a", "DCIM/1234567_035012_19700101000500_0001.MP4", film(1), never)
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (clip,) = await here.told("recorder.clip")
    assert clip.data["clock_trust"] == "unset"
    assert "began_at" not in clip.data
    assert clip.data["raw_began_at"] == "1969-12-31T16:05:00Z"
    assert clip.clip is None


async def test_the_units_own_note_of_its_clock_corrects_its_times(tmp_path: Path) -> None:
    now = CLOCK.now()
    fast = now + timedelta(seconds=120)
    local = fast + timedelta(hours=8)
    put(tmp_path / "docks/unit-a", "CLOCK.TXT", f"{local:%Y-%m-%d %H:%M:%S}\r\n".encode())
    put(tmp_path / "docks/unit-a", f"DCIM/1234567_035012_{local:%Y%m%d%H%M%S}_0001.MP4", film(1), fast)
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (clip,) = await here.told("recorder.clip")
    assert clip.data["clock_trust"] == "clock_file"
    assert clip.data["clock_offset_s"] == pytest.approx(120, abs=30)
    assert abs(datetime.fromisoformat(clip.data["began_at"]) - now) < timedelta(seconds=30)


async def test_gaps_and_overlaps_of_a_shift_are_told_once(tmp_path: Path) -> None:
    unit = tmp_path / "docks/unit-a"
    put(unit, NAME.format(30, 1), film(1))
    put(unit, NAME.format(35, 2), film(2, seconds=600.0))
    put(unit, NAME.format(40, 3), film(3, seconds=30.0))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (gap,) = await here.told("recorder.gap")
        (overlap,) = await here.told("recorder.overlap")
        unit.rename(tmp_path / "pocket")
        await here.told("recorder.undocked")
        (tmp_path / "pocket").rename(unit)
        await here.told("recorder.docked", 2)
        await here.until(lambda: "may be removed" in here.health[-1].detail)
    assert gap.data["seconds"] == 299.0
    assert gap.data["unit"] == "1234567"
    assert (gap.data["before"], gap.data["after"]) == (digest(film(1)), digest(film(2, seconds=600.0)))
    assert overlap.data["before"] == digest(film(2, seconds=600.0))
    assert len(here.of("recorder.gap")) == 1


async def test_a_clip_that_was_not_safe_is_told_again_under_the_same_id(tmp_path: Path) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), film(1))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        here.safe = False
        (first,) = await here.told("recorder.clip")
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (again,) = await here.told("recorder.clip")
    assert again == first
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        await here.told("recorder.docked")
        await here.until(lambda: bool(here.health))
        assert here.of("recorder.clip") == []


async def test_a_clip_is_finished_that_a_power_cut_left_half_kept(tmp_path: Path) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), film(1))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        await here.told("recorder.clip")
    (clip,) = clips(footage(tmp_path))
    Footage(tmp_path / "box").path(clip.sha256).rename(footage(tmp_path) / "incoming" / str(clip.event))
    put(footage(tmp_path) / "incoming", "0" * 36, b"a copy that was never finished")
    again = Footage(tmp_path / "box")
    again.load()
    assert kept(tmp_path) == {digest(film(1)): film(1)}
    assert list((footage(tmp_path) / "incoming").iterdir()) == []


async def test_only_a_clip_that_the_hub_confirmed_is_deleted(tmp_path: Path) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), film(1))
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (clip,) = await here.told("recorder.clip")
        sha256 = clip.data["sha256"]
        for args in ({}, {"sha256": "0" * 64}, {"sha256": 5}, {"sha256": "../secret"}, {"sha256": sha256}):
            with pytest.raises(DeviceRefusedError):
                await here.driver.obey("release", args)
        assert set(kept(tmp_path)) == {sha256}
        note_carriage(footage(tmp_path), sha256, Carriage(confirmed_at=CLOCK.now()))
        assert (await here.driver.obey("release", {"sha256": sha256})).data == {"bytes": len(film(1))}
        assert kept(tmp_path) == {}
        assert (await here.driver.obey("release", {"sha256": sha256})).data == {"bytes": 0}
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        await here.told("recorder.docked")
        await here.until(lambda: bool(here.health))
        assert kept(tmp_path) == {}  # it is known, though its bytes have gone


async def test_a_file_that_a_station_is_still_writing_is_left_until_it_rests(tmp_path: Path) -> None:
    station = tmp_path / "station"
    growing = put(station, NAME.format(30, 1), film(1)[:500])
    async with dock(tmp_path, CLOCK, f"folder:{station}", profile="zfy", look_every_s=0.3) as here:
        await here.until(lambda: bool(here.health))
        growing.write_bytes(film(1))
        (clip,) = await here.told("recorder.clip")
        put(station, NAME.format(40, 2), film(2))
        await here.told("recorder.clip", 2)
    assert clip.data["sha256"] == digest(film(1))
    assert here.of("recorder.docked") == []


async def test_only_what_is_mounted_counts_as_a_medium(tmp_path: Path) -> None:
    (tmp_path / "left-behind").mkdir()
    assert folders.docked(str(tmp_path), mounted=True) == []
    assert [medium.label for medium in folders.docked(str(tmp_path), mounted=False)] == ["left-behind"]
    assert "proc" in {medium.label for medium in folders.docked("/", mounted=True)}


async def test_a_dock_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    for url in (f"mount:{tmp_path}/none", f"folder:{tmp_path}/none"):
        with pytest.raises(DeviceUnreachableError):
            async with dock(tmp_path, CLOCK, url) as here:
                await here.told("recorder.clip")


async def test_cancelled_in_mid_copy_it_ends_at_once(tmp_path: Path) -> None:
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), BIG)

    async def listen() -> None:
        async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
            await here.told("recorder.docked")
            await asyncio.Event().wait()

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    listening.cancel()
    await asyncio.wait((listening,), timeout=10)
    assert listening.cancelled()
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here:
        (clip,) = await here.told("recorder.clip")
    assert clip.data["sha256"] == digest(BIG)


async def test_the_clips_under_way_are_finished_and_no_other_begun_while_it_is_to_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is being read back and the second copied when rest is asked for; the third comes when it goes on."""
    contents = [BIG, film(2), film(3)]
    for number, content in enumerate(contents, 1):
        put(tmp_path / "docks/unit-a", NAME.format(30 + number, number), content)
    begun, go_on = asyncio.Event(), threading.Event()
    loop, real = asyncio.get_running_loop(), copying.flush_out

    def held_up(part: Path) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(30)
        real(part)

    monkeypatch.setattr(copying, "flush_out", held_up)
    async with dock(tmp_path, CLOCK, f"mount:{tmp_path}/docks") as here, asyncio.timeout(60):
        listening = asyncio.create_task(here.told("recorder.clip", 3))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
        async with here.driver.at_rest():
            assert set(kept(tmp_path)) == {digest(content) for content in contents[:2]}
            assert list((footage(tmp_path) / "incoming").iterdir()) == []
            assert not listening.done()
        told = await listening
    assert [clip.data["sha256"] for clip in told] == [digest(content) for content in contents]
