"""One medium while it is docked: everything of it that the box does not have yet is copied, checked and kept.

While one clip is being read back and looked into, the next one is already being copied: the medium never waits for the
box's disk. A clip counts once it is kept; whatever ends a docking, the clip under way begins anew at the next one.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from drivers.contract import Health, Report
from drivers.recorder import telling
from drivers.recorder.copying import mark
from drivers.recorder.coverage import Stretch, flaws
from drivers.recorder.describing import unit_of, unit_time
from drivers.recorder.dock import Dock, Say, Tally
from drivers.recorder.keeping import Brought, ChangedFileError, CopyDiffersError, bring, keep
from drivers.recorder.media import MOST_FILES, Entry, Medium, MediumGoneError, UnreadableFileError
from drivers.recorder.names import shown
from drivers.recorder.telling import between_told, clip_told, told
from drivers.recorder.unit_clock import Trust, UnitClock, measure, said_by
from protocol import logs
from protocol.errors import StoreUnavailableError
from protocol.messages import DeviceState

PROGRESS_EVERY_S: Final = 5.0

log = logs.get(__name__)


@dataclass(slots=True)
class Docking:
    """A medium's docking, to be `run` until `complete`; with `needs_bytes` it waits for room on the disk.

    A station's docking never ends: it is run again and again, and takes what has come since.
    """

    dock: Dock
    medium: Medium
    is_station: bool = False
    complete: bool = False
    needs_bytes: int = 0
    tally: Tally = field(default_factory=Tally)
    _unit_clock: UnitClock | None = None
    _settled: set[Entry] = field(default_factory=set)
    _seen: frozenset[Entry] = frozenset()
    _jobs: deque[Entry] = field(default_factory=deque)
    _twice: set[Entry] = field(default_factory=set)
    _fresh: set[str] = field(default_factory=set)
    _is_short: bool = False
    _checking: asyncio.Task[None] | None = None

    async def run(self, say: Say) -> None:
        """Copy what is new, and tell of it. Raises MediumGoneError when the medium is gone before the end."""
        self.needs_bytes = 0
        entries = await self._listing(say)
        if self._unit_clock is None:
            self._unit_clock = await self._measured(entries)
            if not self.is_station:
                await say(self._docked(self._unit_clock))
        self._jobs = deque(entry for entry in entries if entry not in self._settled)
        with self.dock.rest.working():
            try:
                await self._bring_all(say, self._unit_clock)
            finally:
                await self._let_go()
        self.complete = not self.needs_bytes
        await self._tell_coverage(say)

    async def _bring_all(self, say: Say, unit_clock: UnitClock) -> None:
        while self._jobs or self._checking is not None:
            if self.dock.rest.wanted:
                await self._checked()
                await self.dock.rest.pause()
            try:
                brought = await self._bring(say, self._jobs.popleft()) if self._jobs else None
            except MediumGoneError:
                await self._checked()  # what is here whole is kept
                raise
            await self._checked()
            if brought is not None:
                check = self._check(say, brought, unit_clock)
                self._checking = asyncio.create_task(check, name=f"check {self.dock.device}")

    async def _listing(self, say: Say) -> list[Entry]:
        """Return the footage that is there; of a station only what has not changed since the last look."""
        found = await self.dock.hands.do(lambda: list(self.medium.entries(self.dock.profile)))
        if len(found) == MOST_FILES and len(self._seen) != MOST_FILES:
            reason = f"only the first {MOST_FILES} files of the medium are taken"
            await say(self._told(telling.UNREADABLE, {"reason": reason}))
        before, self._seen = self._seen, frozenset(found)
        self._settled &= self._seen
        whole = [entry for entry in found if entry.size and (entry in before or not self.is_station)]
        self.tally.files, self.tally.bytes = len(whole), sum(entry.size for entry in whole)
        self.tally.empty = sum(not entry.size for entry in found)
        return whole

    async def _measured(self, entries: list[Entry]) -> UnitClock:
        profile = self.dock.profile
        if self.is_station:  # its files are of many units
            return UnitClock(Trust.UNMEASURED)
        said = None
        if profile.clock_file is not None:
            content = await self.dock.hands.do(self.medium.small, profile.clock_file.path)
            said = said_by(content, profile.clock_file, profile)
        newest = max((unit_time(entry, profile) for entry in entries), default=None)
        return measure(self.dock.clock.now(), said, newest)

    async def _bring(self, say: Say, entry: Entry) -> Brought | None:
        """Copy a file; None when it is known, fails, or has to wait."""
        try:
            if entry.size > self.dock.options.largest_bytes:
                await self._failed(say, entry, f"{entry.size} bytes are no footage")
                return None
            found = await self.dock.hands.do(mark, self.medium, entry)
            if self.dock.footage.marked(found) is not None:
                self.tally.known += 1
                self._settled.add(entry)
                return None
            self.dock.room.need(entry.size)
            return await self._copied(say, entry, found)
        except UnreadableFileError as error:
            await self._failed(say, entry, str(error))
        except ChangedFileError as error:
            if not self.is_station:  # a station's next look will find it whole
                await self._failed(say, entry, str(error))
        except StoreUnavailableError as error:
            await self._without_room(say, entry, str(error))
        return None

    async def _copied(self, say: Say, entry: Entry, found: str) -> Brought:
        """Copy a file, and say now and then how far that is."""
        come = 0

        def progress(size: int) -> None:
            nonlocal come
            come = size

        copying = asyncio.create_task(bring(self.dock, self.medium, entry, found, progress))
        try:
            while not (await asyncio.wait((copying,), timeout=PROGRESS_EVERY_S))[0]:
                done = f"{self.tally.copied + self.tally.known} of {self.tally.files} files"
                share = f"{come * 100 // entry.size} % of the next one"
                await say(Health(DeviceState.OK, f"{self.medium.label}: {done}, {share}"))
            return copying.result()
        finally:
            copying.cancel()
            await asyncio.wait((copying,))

    async def _check(self, say: Say, brought: Brought, unit_clock: UnitClock) -> None:
        entry = brought.entry
        try:
            clip = await keep(self.dock, self.medium, brought, unit_clock)
        except CopyDiffersError as error:
            await self._differs(say, entry, str(error))
            return
        except (OSError, StoreUnavailableError) as error:
            self.dock.footage.drop(brought.event)
            await self._without_room(say, entry, str(error))
            return
        self._settled.add(entry)
        self._is_short = False
        if clip is None:
            self.tally.known += 1
            return
        self.tally.copied += 1
        self.tally.copied_bytes += clip.bytes
        self._fresh.add(clip.sha256)
        log.info("clip_kept", device=self.dock.device, sha256=clip.sha256, bytes=clip.bytes)
        await say(clip_told(clip))

    async def _checked(self) -> None:
        """Wait for the check that is under way."""
        if self._checking is not None:
            checking, self._checking = self._checking, None
            await checking

    async def _let_go(self) -> None:
        """End a check that nobody waits for any more."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait((self._checking,))
            self._checking = None

    async def _differs(self, say: Say, entry: Entry, reason: str) -> None:
        """Copy a file once more when its copy came out wrong; twice is for somebody to look at."""
        again = entry not in self._twice
        self._twice.add(entry)
        log.critical("copy_differs_from_what_was_read", device=self.dock.device, reason=reason, again=again)
        if again:
            self._jobs.append(entry)
        else:
            self.tally.failed += 1
            self._settled.add(entry)
        await say(self._told(telling.COPY_DIFFERS, {**_facts(entry, reason), "again": again}))

    async def _failed(self, say: Say, entry: Entry, reason: str) -> None:
        self.tally.failed += 1
        self._settled.add(entry)
        log.warning("footage_not_taken", device=self.dock.device, reason=reason)
        await say(self._told(telling.UNREADABLE, _facts(entry, reason)))

    async def _without_room(self, say: Say, entry: Entry, reason: str) -> None:
        """Stop here; the docking goes on when there is room."""
        self._jobs.clear()
        self.needs_bytes = entry.size
        if not self._is_short:
            log.warning("no_room_for_footage", device=self.dock.device, reason=reason)
            await say(self._told(telling.NO_ROOM, _facts(entry, reason)))
        self._is_short = True

    def _docked(self, unit_clock: UnitClock) -> Report:
        data = {**self.tally.facts(), "clock_trust": str(unit_clock.trust)}
        if unit_clock.offset_s is not None:
            data["clock_offset_s"] = unit_clock.offset_s
        return self._told(telling.DOCKED, data)

    def undocked(self) -> Report:
        """Return the report of a medium that was taken away."""
        data = {**self.tally.facts(), "complete": self.complete and not self.tally.failed}
        return self._told(telling.UNDOCKED, data)

    async def _tell_coverage(self, say: Say) -> None:
        """Tell what lies between the clips of each unit that has a new one beside it."""
        fresh, self._fresh = self._fresh, set()
        clips, options = self.dock.footage.clips, self.dock.options
        for unit in sorted({unit_of(clips[digest]) for digest in fresh}):
            stretches = [
                Stretch(clip.began_at, clip.ended_at, clip.sha256)
                for clip in tuple(clips.values())
                if clip.began_at is not None and clip.ended_at is not None and unit_of(clip) == unit
            ]
            found = flaws(stretches, tolerance_s=options.gap_tolerance_s, shift_break_s=options.shift_break_s)
            for between in found:
                if {between.before, between.after} & fresh:
                    await say(between_told(self.dock.device, self.dock.clock.now(), between, unit))

    def _told(self, kind: str, data: dict[str, Any]) -> Report:
        return told(self.dock.device, self.dock.clock, kind, {"medium": self.medium.label, **data})


def _facts(entry: Entry, reason: str) -> dict[str, Any]:
    return {"file_name": shown(entry.name), "bytes": entry.size, "reason": reason}
