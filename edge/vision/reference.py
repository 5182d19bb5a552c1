"""How a camera's view looks when nobody has touched it: learned slowly, kept per look, and kept on disk."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from edge.vision.measures import COLUMNS, FINE, ROWS, Grid, Image, Mask, Measures, likeness, measure
from protocol import logs
from protocol.lasting import replace_file

log = logs.get(__name__)

STRUCTURED = 5.0
"""Standard deviation in grey levels from which a block has structure that can be lost."""
DETAILED = 2.5
"""Root mean square of the detail from which a block can be seen to blur."""
LIKE = 0.5
"""A block that compares below this has lost what the reference shows there."""
SAME_VIEW = 0.6
"""Share of structured blocks that must be alike from the first picture of a draft to the last."""
MIN_STRUCTURED = 0.05
"""A view with a smaller share of structured blocks is no view: a lens cap, a wall, a cloth."""


_DIGEST_BYTES = 32


class Look(StrEnum):
    """By daylight or lamps a camera sees colours, by its infrared lamps only grey; a scene looks different by each."""

    DAY = "day"
    NIGHT = "night"


class Reference:
    """The slow background of one look, with the detail that live pictures have there."""

    def __init__(self, fine: Image, detail: Grid) -> None:
        self._set(fine, detail)

    def blend(self, picture: Measures, weight: float) -> None:
        """Move towards a picture by `weight`, 0 to 1."""
        share, fine = np.float32(weight), self.measures.fine.image
        self._set(fine + share * (picture.fine.image - fine), self.detail + share * (picture.detail - self.detail))

    def _set(self, fine: Image, detail: Grid) -> None:
        self.measures = measure(fine, 0.0)
        self.detail = detail
        self.structured: Mask = self.measures.fine.spread > STRUCTURED
        self.detailed: Mask = detail > DETAILED

    @property
    def shows_something(self) -> bool:
        """Whether there is enough structure for anything to be judged by it."""
        return float(np.mean(self.structured)) >= MIN_STRUCTURED


class Draft:
    """The first seconds of a steady view: their mean becomes a reference."""

    def __init__(self) -> None:
        self._fine: Image = np.zeros((FINE[1], FINE[0]), np.float32)
        self._detail: Grid = np.zeros((ROWS, COLUMNS), np.float32)
        self._count = 0
        self._since = 0.0

    def add(self, picture: Measures, seconds: float) -> float:
        """Take one more picture in; return how many seconds the draft spans."""
        if self._count == 0:
            self._since = seconds
        self._count += 1
        self._fine += picture.fine.image
        self._detail += picture.detail
        return seconds - self._since

    def finished(self) -> Reference:
        """Return the mean of what was taken in, at least one picture."""
        return Reference(self._fine / np.float32(self._count), self._detail / np.float32(self._count))

    def continues(self, picture: Measures) -> bool:
        """Whether a picture shows the view of the draft, and not one that is just being covered or uncovered."""
        if self._count == 0:
            return True
        so_far = self.finished()
        alike = likeness(picture.fine, so_far.measures.fine)
        either = so_far.structured | (picture.fine.spread > STRUCTURED)
        # A view without any structure continues one without any.
        return not either.any() or float(np.mean(alike[either] > LIKE)) >= SAME_VIEW


class Shelf:
    """The references of one camera, in one file of its folder, replaced whole or not at all."""

    def __init__(self, path: Path, references: dict[Look, Reference]) -> None:
        self._path = path
        self._references = references

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what was put down; a missing or damaged file is an empty shelf, the latter with a warning."""
        try:
            return cls(path, _decode(path.read_bytes()))
        except FileNotFoundError:
            return cls(path, {})
        except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
            log.warning("reference_unreadable", file=path.name, reason=str(error))
            return cls(path, {})

    def get(self, look: Look) -> Reference | None:
        """Return the reference of a look, if there is one."""
        return self._references.get(look)

    @property
    def any(self) -> Look | None:
        """Return a look that has a reference, if there is one."""
        return next(iter(self._references), None)

    def put(self, look: Look, reference: Reference) -> None:
        """Place a reference; `save` makes it last."""
        self._references[look] = reference

    def save(self) -> None:
        """Write all of it; on return it survives a power cut."""
        replace_file(self._path, _encode(self._references))


class _Stored(msgspec.Struct, frozen=True):
    """A reference on disk: little-endian float32, row by row."""

    fine: bytes
    detail: bytes


def _encode(references: dict[Look, Reference]) -> bytes:
    """Return a SHA-256 and what it vouches for."""
    stored = {
        look: _Stored(_raw(reference.measures.fine.image), _raw(reference.detail))
        for look, reference in references.items()
    }
    body = msgspec.msgpack.encode(stored)
    return hashlib.sha256(body).digest() + body


def _decode(content: bytes) -> dict[Look, Reference]:
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("its digest is wrong")
    return {
        look: Reference(_array(stored.fine, (FINE[1], FINE[0])), _array(stored.detail, (ROWS, COLUMNS)))
        for look, stored in msgspec.msgpack.decode(body, type=dict[Look, _Stored]).items()
    }


def _raw(image: Image) -> bytes:
    return image.astype("<f4").tobytes()


def _array(raw: bytes, shape: tuple[int, int]) -> Image:
    return np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)
