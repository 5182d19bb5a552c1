"""The location detectors, as a list, folded over the fixes of one device in order of device time."""

from collections.abc import Iterable, Iterator
from typing import Final

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

TRACK_TYPES: Final = (LOCATION_JUMP, LOCATION_SPEED, LOCATION_OUTSIDE, LOCATION_MOVED)


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


class TrackDetectors:
    """Judges tracks. A pure fold: the same fixes in the same order give the same findings, in whatever portions."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._chain = Chain(settings.chain)
        self._leaps = Leaps(settings)
        self._outside = OutsideGrid(settings)
        self._moved = MovedDevice(settings)

    def fold(self, state: TrackState, fixes: Iterable[Fix], around: Circumstances) -> list[Finding]:
        """Take fixes in order, each later than the last; return what they show. Changes `state` in place."""
        findings: list[Finding] = []
        chain, outside, moved = self._chain.take, self._outside.inspect, self._moved.inspect
        chain_state, outside_state, moved_state = state.chain, state.outside, state.moved
        for fix in fixes:
            verdict = chain(chain_state, fix)
            state.through_us = fix.at_us
            for hop in verdict.hops:
                findings.extend(self._leaps.judge(hop, fix.at_us))
            for kept in verdict.track:
                findings.extend(outside(outside_state, kept, around))
                findings.extend(moved(moved_state, kept, around))
        return findings


_decoder: Final = msgspec.msgpack.Decoder(TrackState)


def encode(state: TrackState) -> bytes:
    """Return the state as bytes."""
    return msgspec.msgpack.encode(state)


def decode(data: bytes) -> TrackState:
    """Return the state that was encoded. Raises msgspec.ValidationError for that of another layout."""
    return _decoder.decode(data)
