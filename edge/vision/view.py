"""A picture beside its reference: what the detectors judge."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edge.vision.measures import Mask, Measures, likeness
from edge.vision.reference import LIKE, Reference


@dataclass(frozen=True, slots=True)
class Verdict:
    """A detector's yes: how sure, from 0 to 1, and the figures behind it."""

    score: float
    data: dict[str, float]


@dataclass(frozen=True)
class View:
    """One picture, the reference of its look (None while there is none), and the blocks that no clock covers."""

    measures: Measures
    reference: Reference | None
    usable: Mask

    @cached_property
    def lost(self) -> float:
        """The share of the structured blocks of the reference whose structure is gone; 0 without a reference."""
        if self.reference is None:
            return 0.0
        alike = likeness(self.measures.fine, self.reference.measures.fine)
        return self._share(alike < LIKE, self.reference.structured)

    @cached_property
    def coarse_likeness(self) -> float:
        """How like the reference the picture is when both are seen without their detail (median block)."""
        if self.reference is None:
            return 1.0
        grid = likeness(self.measures.coarse, self.reference.measures.coarse)
        judged = grid[self.reference.structured & self.usable]
        return float(np.median(judged)) if judged.size else 1.0

    @cached_property
    def dulled(self) -> float:
        """The share of the detailed blocks of the reference that keep less than 0.4 of it, contrast allowed for."""
        if self.reference is None:
            return 0.0
        gain = max(self.measures.contrast / max(self.reference.measures.contrast, 1.0), 0.1)
        dull = self.measures.detail < 0.4 * gain * self.reference.detail
        return self._share(dull, self.reference.detailed)

    def _share(self, found: Mask, among: Mask) -> float:
        judged = among & self.usable
        total = int(np.count_nonzero(judged))
        return int(np.count_nonzero(found & judged)) / total if total else 0.0
