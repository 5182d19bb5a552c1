"""Frames of JT/T 808-2013 and -2019, section 4.4: delimiters, escapes and the check byte.

A frame is 0x7e, the escaped message and its check byte, 0x7e. Within it 0x7e is written 0x7d 0x02 and 0x7d is written
0x7d 0x01; the check byte is the XOR of the message.
"""

from functools import reduce
from operator import xor
from typing import Final

DELIMITER: Final = b"\x7e"
_ESCAPE: Final = b"\x7d"
_LONGEST_MESSAGE: Final = 21 + 1023 + 1
"""A header with sub-package fields (2019), a body of ten bits of length, the check byte."""
_LONGEST_FRAME: Final = 2 * _LONGEST_MESSAGE


class Framer:
    """Cuts a stream that comes in pieces of any size into messages, and counts what it refused.

    `bad_checksum` counts frames with another check byte, `malformed` those with a wrong escape, too short to hold a
    header, or longer than any frame can be. It never holds more than one frame.
    """

    def __init__(self) -> None:
        self.bad_checksum = 0
        self.malformed = 0
        self._rest = b""
        self._overlong = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the messages that this piece completes, unescaped and without their check byte."""
        *ended, rest = piece.split(DELIMITER)
        messages: list[bytes] = []
        for part in ended:
            frame, self._rest = self._rest + part, b""
            overlong, self._overlong = self._overlong, False
            if overlong or len(frame) > _LONGEST_FRAME:
                self.malformed += 1
            elif frame and (message := self._message(frame)):
                messages.append(message)
        if self._overlong or len(self._rest) + len(rest) > _LONGEST_FRAME:
            self._rest, self._overlong = b"", True
        else:
            self._rest += rest
        return messages

    def _message(self, frame: bytes) -> bytes | None:
        whole = _unescape(frame)
        if whole is None or len(whole) < 2:  # noqa: PLR2004 - at least one byte and its check byte
            self.malformed += 1
            return None
        if reduce(xor, whole):
            self.bad_checksum += 1
            return None
        return whole[:-1]


def framed(message: bytes) -> bytes:
    """Return the frame of a message."""
    whole = message + bytes((reduce(xor, message),))
    return DELIMITER + whole.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + DELIMITER


def _unescape(frame: bytes) -> bytes | None:
    """Return what the escapes stand for, or None when one stands for nothing."""
    if _ESCAPE not in frame:
        return frame
    first, *others = frame.split(_ESCAPE)
    whole = [first]
    for other in others:
        if other[:1] == b"\x01":
            whole.append(b"\x7d" + other[1:])
        elif other[:1] == b"\x02":
            whole.append(b"\x7e" + other[1:])
        else:
            return None
    return b"".join(whole)
