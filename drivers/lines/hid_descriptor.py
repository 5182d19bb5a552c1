"""What a USB or Bluetooth human interface device says of its reports (USB HID 1.11, sections 5 and 6.2.2).

A descriptor is a list of items that fill a table of global and local values; a main item makes a field of them.
"""

import struct
from collections.abc import Iterator
from copy import copy
from typing import Final

from msgspec import Struct

from protocol.errors import UndecodableMessageError

LONGEST: Final = 4_096
"""Bytes of a descriptor; the kernel takes no more (HID_MAX_DESCRIPTOR_SIZE)."""
_MOST_BITS: Final = 8 * 16_384
_DEEPEST: Final = 8
_MOST_USAGES: Final = 1_024
_LONG: Final = 0xFE
_MAIN, _GLOBAL, _LOCAL = 0, 1, 2
_SIZES: Final = (0, 1, 2, 4)
_FORMATS: Final = {0: "", 1: "<B", 2: "<H", 4: "<I"}
_INPUT, _COLLECTION, _END = 0x8, 0xA, 0xC
_PAGE, _REPORT_SIZE, _REPORT_ID, _REPORT_COUNT, _PUSH, _POP = 0x0, 0x7, 0x8, 0x9, 0xA, 0xB
_USAGE, _USAGE_MIN, _USAGE_MAX = 0x0, 0x1, 0x2
_APPLICATION: Final = 1
_CONSTANT: Final = 1
_WITH_PAGE: Final = 4


class Field(Struct, frozen=True):
    """Values that come with an input report: `count` of `bits` each, from `offset` bits behind the report's id.

    A usage is its page in the upper and its id in the lower 16 bits. The values have the usages in turn; when there are
    fewer, the last is that of the rest.
    """

    report: int
    offset: int
    bits: int
    count: int
    usages: tuple[int, ...]


class Descriptor(Struct, frozen=True):
    """Usages of the application collections, the fields of the input reports, and their lengths in bits by report id.

    The id is 0 where reports have none; else each begins with it, in a byte that the lengths leave out.
    """

    applications: tuple[int, ...]
    inputs: tuple[Field, ...]
    lengths: dict[int, int]


class _Globals(Struct):
    page: int = 0
    size: int = 0
    count: int = 0
    report: int = 0


def read_descriptor(raw: bytes) -> Descriptor:
    """Read a report descriptor; raises UndecodableMessageError for one that is none."""
    if not 0 < len(raw) <= LONGEST:
        raise UndecodableMessageError(f"a report descriptor of {len(raw)} bytes", raw[:64])
    return _Reader(raw).read()


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._now, self._saved = _Globals(), list[_Globals]()
        self._usages: list[int] = []
        self._lowest = 0
        self._depth = 0
        self._applications: list[int] = []
        self._fields: list[Field] = []
        self._lengths: dict[int, int] = {}

    def read(self) -> Descriptor:
        for kind, tag, value, size in self._items():
            if kind == _GLOBAL:
                self._take_global(tag, value)
            elif kind == _LOCAL:
                self._take_local(tag, value, size)
            elif kind == _MAIN:
                self._take_main(tag, value)
                self._usages.clear()
        if self._depth:
            raise self._wrong("a collection has no end")
        return Descriptor(tuple(self._applications), tuple(self._fields), self._lengths)

    def _items(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield type, tag, value and length of each short item; long ones have no meaning yet (section 6.2.2.3)."""
        at = 0
        while at < len(self._raw):
            prefix = self._raw[at]
            size = _SIZES[prefix & 3]
            if prefix == _LONG:
                size = 2 + self._raw[at + 1] if at + 1 < len(self._raw) else 2
            end = at + 1 + size
            if end > len(self._raw):
                raise self._wrong("it ends within an item")
            if prefix != _LONG:
                value = struct.unpack(_FORMATS[size], self._raw[at + 1 : end])[0] if size else 0
                yield prefix >> 2 & 3, prefix >> 4, value, size
            at = end

    def _take_global(self, tag: int, value: int) -> None:
        if tag == _PAGE:
            self._now.page = value & 0xFFFF
        elif tag == _REPORT_SIZE:
            self._now.size = value
        elif tag == _REPORT_ID:
            self._now.report = value & 0xFF
        elif tag == _REPORT_COUNT:
            self._now.count = value
        elif tag == _PUSH:
            self._saved.append(copy(self._now))
        elif tag == _POP and self._saved:
            self._now = self._saved.pop()
        elif tag == _POP:
            raise self._wrong("its stack is empty")
        if len(self._saved) > _DEEPEST:
            raise self._wrong("its stack is too deep")

    def _take_local(self, tag: int, value: int, size: int) -> None:
        usage = value if size == _WITH_PAGE else self._now.page << 16 | value
        if tag == _USAGE:
            self._usages.append(usage)
        elif tag == _USAGE_MIN:
            self._lowest = usage
        elif tag == _USAGE_MAX:
            if not 0 <= usage - self._lowest < _MOST_USAGES:
                raise self._wrong("it has a range of usages that is none")
            self._usages += range(self._lowest, usage + 1)
        if len(self._usages) > _MOST_USAGES:
            raise self._wrong("it has too many usages")

    def _take_main(self, tag: int, value: int) -> None:
        if tag == _COLLECTION:
            self._depth += 1
            if value == _APPLICATION and self._usages:
                self._applications.append(self._usages[0])
        elif tag == _END:
            self._depth -= 1
        elif tag == _INPUT:
            self._take_input(is_constant=bool(value & _CONSTANT))
        if not 0 <= self._depth <= _DEEPEST:
            raise self._wrong("its collections do not nest")

    def _take_input(self, *, is_constant: bool) -> None:
        now = self._now
        offset = self._lengths.get(now.report, 0)
        length = offset + now.size * now.count
        if length > _MOST_BITS:
            raise self._wrong("a report is too long")
        self._lengths[now.report] = length
        if not is_constant and now.size and now.count:
            self._fields.append(Field(now.report, offset, now.size, now.count, tuple(self._usages)))

    def _wrong(self, reason: str) -> UndecodableMessageError:
        return UndecodableMessageError(f"a report descriptor that makes no sense: {reason}", self._raw[:64])
