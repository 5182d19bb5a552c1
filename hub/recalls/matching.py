"""Whether a scanned product is one that is recalled. Pure."""

import re
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from typing import Final

_RUN: Final = re.compile(r"\d+|\D+")
GTIN_DIGITS: Final = 14


class Match(Enum):
    """What can be said: it is recalled, it may be (the code did not say enough), it is not."""

    CERTAIN = auto()
    POSSIBLE = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a code says of a product: GTIN of 14 digits, and batch and date of production where it says them."""

    gtin: str
    batch: str | None = None
    produced: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a recall covers: a product, and of it what fits everything that is given here.

    `batch` may hold `*` for any characters and `?` for one. A range of batches holds those that differ from its ends in
    their numbers only: A9 to A12 holds A10, not B10. Case does not count. Both ends of ranges are covered.
    """

    gtin: str
    batch: str | None = None
    batch_from: str | None = None
    batch_to: str | None = None
    produced_from: date | None = None
    produced_to: date | None = None

    def matches(self, product: Product) -> Match:
        """Judge a product."""
        if item_of(product.gtin) != item_of(self.gtin):
            return Match.NONE
        verdicts = {self._by_batch(product.batch), self._by_date(product.produced)}
        if Match.NONE in verdicts:
            return Match.NONE
        return Match.POSSIBLE if Match.POSSIBLE in verdicts else Match.CERTAIN

    def _by_batch(self, batch: str | None) -> Match:
        if self.batch is None and self.batch_from is None:
            return Match.CERTAIN
        if not batch:
            return Match.POSSIBLE
        if self.batch is not None:
            return _verdict(_fits(self.batch, batch))
        return _verdict(_between(self.batch_from or "", batch, self.batch_to or ""))

    def _by_date(self, produced: date | None) -> Match:
        if self.produced_from is None and self.produced_to is None:
            return Match.CERTAIN
        if produced is None:
            return Match.POSSIBLE
        return _verdict((self.produced_from or date.min) <= produced <= (self.produced_to or date.max))


def item_of(gtin: str) -> str:
    """Return what all packages of an item share: twelve digits, without the level of packaging and the check digit.

    A case of an item has a GTIN of its own that differs in these two digits only (GS1 General Specifications, 2.1.6).
    """
    return gtin.zfill(GTIN_DIGITS)[1:-1]


def in_order(batch_from: str, batch_to: str) -> bool:
    """Tell whether two batch numbers are the ends of a range."""
    return _between(batch_from, batch_from, batch_to)


def _verdict(fits: bool) -> Match:  # noqa: FBT001 - a word for each of the two
    return Match.CERTAIN if fits else Match.NONE


def _fits(pattern: str, batch: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, batch, re.IGNORECASE) is not None


def _between(low: str, batch: str, high: str) -> bool:
    (low_words, low_numbers), (words, numbers), (high_words, high_numbers) = map(_parted, (low, batch, high))
    return low_words == words == high_words and low_numbers <= numbers <= high_numbers


def _parted(batch: str) -> tuple[list[str], list[int]]:
    """Part a batch number into its words, with the places of its numbers, and its numbers."""
    runs = _RUN.findall(batch.upper())
    words = ["" if run[0].isdecimal() else run for run in runs]
    return words, [int(run) for run in runs if run[0].isdecimal()]
