"""Scans out of the reports of a scanner in HID-POS mode (USB HID Point of Sale Usage Tables 1.02, usage page 0x8C).

A report carries the symbology identifier, a piece of what was scanned, and whether the scan goes on in the next one.
Where the pieces lie in it is what the device's descriptor says, or else the layout that the tables suggest.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from drivers.lines.hid_descriptor import Descriptor, Field
from drivers.scanner.framing import LONGEST
from protocol.errors import DeviceUnreachableError

SCANNER_PAGE: Final = 0x8C
_SYMBOLOGY: Final = (0x8C_00FB, 0x8C_00FC, 0x8C_00FD)
_DATA: Final = 0x8C_00FE
_CONTINUED: Final = 0x8C_00FF
_BYTE_COUNT: Final = 0x01_003B
_KEYBOARD: Final = 0x01_0006
_BYTE: Final = 8
_IDENTIFIER: Final = re.compile(rb"\][A-Za-z][0-9A-Za-z]")
_LINE_ENDS: Final = re.compile(rb"[\r\n]+")
_SILENT: Final = bytes(set(range(0x20)) - {0x1D})  # the group separator is GS1's FNC1


class Layout(Struct, frozen=True):
    """Where things lie in a report, in bytes from its beginning, the id included; `continued` in bits.

    `length` is where the number of bytes of the piece stands; without it the piece ends at the first NUL.
    """

    size: int
    data: int
    capacity: int
    report: int | None = None
    others: frozenset[int] = frozenset()
    length: int | None = None
    symbology: tuple[int, ...] = ()
    continued: int | None = None


SUGGESTED: Final = Layout(size=64, report=2, length=1, symbology=(2, 3, 4), data=5, capacity=56, continued=63 * _BYTE)
"""Appendix A of the tables: id 2, length, three characters of symbology, 56 bytes, two of the maker's, the flag."""


def layout_of(descriptor: Descriptor | None) -> Layout:
    """Return where things lie; without a descriptor, where the tables suggest.

    Raises DeviceUnreachableError when this is no scanner in HID-POS mode: once it is switched, it will be one.
    """
    if descriptor is None:
        return SUGGESTED
    bytewise = (field for field in descriptor.inputs if field.bits == _BYTE)
    data = next((field for field in bytewise if _DATA in field.usages[: field.count]), None)
    if data is None:
        is_keyboard = _KEYBOARD in descriptor.applications
        raise DeviceUnreachableError(
            f"it is {'a keyboard' if is_keyboard else 'something else'}, no scanner in HID-POS mode: "
            "scan the code for that mode in its manual"
        )
    start = _BYTE if data.report else 0
    found = {usage: place for field in descriptor.inputs for usage, place in _places(field, data.report, start)}
    begin, end = found[_DATA], start + data.offset + data.count * _BYTE
    length = found.get(_BYTE_COUNT)
    if begin % _BYTE or (length or 0) % _BYTE or any(found.get(usage, 0) % _BYTE for usage in _SYMBOLOGY):
        raise DeviceUnreachableError("its reports do not keep to whole bytes")
    return Layout(
        size=(start + descriptor.lengths[data.report] + _BYTE - 1) // _BYTE,
        data=begin // _BYTE,
        capacity=(end - begin) // _BYTE,
        report=data.report or None,
        others=frozenset(descriptor.lengths) - {data.report},
        length=None if length is None else length // _BYTE,
        symbology=tuple(found[usage] // _BYTE for usage in _SYMBOLOGY if usage in found),
        continued=found.get(_CONTINUED),
    )


def _places(field: Field, report: int, start: int) -> Iterator[tuple[int, int]]:
    """Yield each usage of a field of this report with where its value begins, in bits of the report."""
    if field.report == report:
        for index, usage in enumerate(field.usages[: field.count]):
            yield usage, start + field.offset + index * field.bits


class Reports:
    """Joins scans out of reports, as `Framer` cuts them out of a stream.

    A report that does not fit the layout is refused and counted, and what it would have been a piece of is not told: a
    code with a hole is another code.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._open = bytearray()
        self._identifier = b""
        self._is_open = self._dropping = False
        self._too_long = self._refused = 0

    @property
    def waits(self) -> bool:
        """Whether a scan has begun that has no end yet."""
        return self._is_open

    @property
    def counts(self) -> dict[str, int]:
        """What was not told."""
        return {"scans_too_long": self._too_long, "reports_refused": self._refused}

    def feed(self, report: bytes) -> Iterator[bytes]:
        """Yield the scan that ends with this report, if one does; an empty one is none."""
        layout = self._layout
        if layout.report is not None and report and report[0] in layout.others:
            return  # another thing that it tells, a trigger or its settings
        length = self._length(report)
        if length is None:
            self._refused += 1
            self._is_open = self._dropping = True  # it may have been the beginning of one, too
            return
        if not self._is_open:
            self._identifier = bytes(report[place] for place in layout.symbology)
        piece = report[layout.data : layout.data + length]
        self._is_open = True
        if not self._dropping and len(self._open) + len(piece) > LONGEST:
            self._dropping = True
            self._too_long += 1
        if not self._dropping:
            self._open += piece
        if not self._goes_on(report):
            scan = b"" if self._dropping else self._whole()
            self._forget()
            if scan:
                yield scan

    def close(self) -> Iterator[bytes]:
        """Give up the open scan: the rest of it is overdue. Yields nothing."""
        self._refused += self._is_open and not self._dropping
        self._forget()
        return iter(())

    def _length(self, report: bytes) -> int | None:
        """Return how many bytes of the scan are in it, None for a report that cannot be."""
        layout = self._layout
        if len(report) < layout.size or (layout.report is not None and report[0] != layout.report):
            return None
        if layout.length is None:
            return (report[layout.data : layout.data + layout.capacity] + b"\0").index(0)
        length = report[layout.length]
        return length if length <= layout.capacity else None

    def _goes_on(self, report: bytes) -> bool:
        place = self._layout.continued
        return place is not None and bool(report[place // _BYTE] >> place % _BYTE & 1)

    def _whole(self) -> bytes:
        content = _LINE_ENDS.sub(b" ", bytes(self._open).strip(b"\r\n\t")).translate(None, _SILENT)
        is_told = _IDENTIFIER.fullmatch(self._identifier) and not content.startswith(self._identifier)
        return self._identifier + content if content and is_told else content

    def _forget(self) -> None:
        self._open.clear()
        self._is_open = self._dropping = False
