"""From a stream of bytes to single scans: by CR or LF, by STX and ETX, or by the pause after one."""

from collections.abc import Iterator
from typing import Final, Protocol

LONGEST: Final = 8_192
"""Bytes of one scan. The largest QR code holds 7,089 digits (ISO/IEC 18004)."""

_STX: Final = 0x02
_ENDS: Final = frozenset(b"\r\n\x03")
_SPACE: Final = 0x20
_KEPT: Final = 0x1D
"""The group separator stands for FNC1 inside of a GS1 code; other control bytes say nothing there."""


class Framing(Protocol):
    """Makes scans of the pieces that a line gives."""

    @property
    def waits(self) -> bool:
        """Whether a scan has begun that has no end yet."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """What was not told, by the name under which it is counted."""
        ...

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the scans that end in this piece; empty ones are none."""
        ...

    def close(self) -> Iterator[bytes]:
        """Yield what is left of the open scan, if that is worth telling: the line is quiet, or over."""
        ...


class Framer:
    """Cuts scans out of a stream. What grows beyond LONGEST is dropped until its end, and counted."""

    def __init__(self) -> None:
        self._open = bytearray()
        self._dropping = False
        self.too_long = 0

    @property
    def waits(self) -> bool:
        """Whether a scan has begun that has no end yet."""
        return bool(self._open) or self._dropping

    @property
    def counts(self) -> dict[str, int]:
        """What was not told."""
        return {"scans_too_long": self.too_long}

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the scans that end in this piece; empty ones are none."""
        for byte in piece:
            if byte in _ENDS:
                yield from self.close()
            elif byte == _STX:
                # Whatever stood before was cut off: a scan with a beginning of its own has begun.
                yield from self.close()
            elif self._dropping:
                continue
            elif len(self._open) == LONGEST:
                self._open.clear()
                self._dropping = True
                self.too_long += 1
            elif byte >= _SPACE or byte == _KEPT:
                self._open.append(byte)

    def close(self) -> Iterator[bytes]:
        """End the open scan: the line is quiet, or over."""
        self._dropping = False
        if self._open:
            scan = bytes(self._open)
            self._open.clear()
            yield scan
