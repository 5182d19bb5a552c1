"""The location detectors, as a list, folded over the fixes of one device in order of device time."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct, field

from hub.anomalies.chain import Chain, ChainState
from hub.anomalies.circumstances import Circumstances
from hub.anomalies.finding import Finding
from hub.anomalies.fixes import Fix
from hub.anomalies.moved_device import MovedDevice, MovedState
from hub.anomalies.outside_grid import OutsideGrid, OutsideState
from hub.anomalies.settings import (
    LOCATION_JUMP,
    LOCATION_MOVED,
    LOCATION_OUTSIDE,
    LOCATION_SPEED,
    AnomaliesSettings,
)
from hub.anomalies.speed import Leaps
from protocol import logs

TRACK_TYPES: Final = (LOCATION_JUMP, LOCATION_SPEED, LOCATION_OUTSIDE, LOCATION_MOVED)

log = logs.get(__name__)


class TrackState(Struct):
    """All that the detectors know of one device after the fix at `through_us`: plain data, kept between batches."""

    through_us: int = -1
    chain: ChainState = field(default_factory=ChainState)
    outside: OutsideState = field(default_factory=OutsideState)
    moved: MovedState = field(default_factory=MovedState)

    def open(self) -> Iterator[Finding]:
        """Yield the findings whose conditions last."""
        for finding in (self.outside.open, self.moved.open):
            if finding is not None:
                yield finding


HOUR_US: Final = 3_600_000_000


class Advance(NamedTuple):
    """What fixes showed, and the states that were reached at the end of each hour, by time."""

    findings: list[Finding]
    checkpoints: dict[int, bytes]


class TrackDetectors:
    """Judges tracks. A pure fold: the same fixes in the same order give the same findings, in whatever portions."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._chain = Chain(settings.chain)
        self._leaps = Leaps(settings)
        self._outside = OutsideGrid(settings)
        self._moved = MovedDevice(settings)

    def advance(self, state: TrackState, fixes: Iterable[Fix], around: Circumstances) -> Advance:
        """Fold fixes, and keep the state that each hour of device time ended with."""
        findings: list[Finding] = []
        checkpoints: dict[int, bytes] = {}
        for hour, some in groupby(fixes, key=_hour):
            if 0 <= state.through_us < hour * HOUR_US:
                checkpoints[state.through_us] = encode(state)
            findings += self.fold(state, some, around)
        return Advance(findings, checkpoints)

    def fold(self, state: TrackState, fixes: Iterable[Fix], around: Circumstances) -> list[Finding]:
        """Take fixes in order, each later than the last; return what they show. Changes `state` in place."""
        findings: list[Finding] = []
        chain, outside, moved = self._chain.take, self._outside.inspect, self._moved.inspect
        chain_state, outside_state, moved_state = state.chain, state.outside, state.moved
        for fix in fixes:
            verdict = chain(chain_state, fix)
            state.through_us = max(state.through_us, fix.at_us)
            for hop in verdict.hops:
                findings.extend(self._leaps.judge(hop, fix.at_us))
            for kept in verdict.track:
                findings.extend(outside(outside_state, kept, around))
                findings.extend(moved(moved_state, kept, around))
        return findings


def _hour(fix: Fix) -> int:
    return fix.at_us // HOUR_US


_decoder: Final = msgspec.msgpack.Decoder(TrackState)


def encode(state: TrackState) -> bytes:
    """Return the state as bytes."""
    return msgspec.msgpack.encode(state)


def restored(data: bytes | None) -> TrackState:
    """Return the state that was encoded; a fresh one for a device that has none, or one of an older layout."""
    if data is None:
        return TrackState()
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        log.warning("track_state_of_another_layout_dropped")
        return TrackState()
