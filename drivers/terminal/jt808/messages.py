"""Messages of JT/T 808: the header of both editions, what we understand of what terminals say, and what we answer.

The edition is told by bit 14 of the properties (2019, section 4.4.3, table 3): a revised header has a version byte, and
ten bytes of telephone number where the edition of 2013 has six. Words are big-endian, telephone numbers BCD.
"""

import struct
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple

from msgspec import Struct

from drivers.terminal.jt808.framing import framed
from protocol.errors import UndecodableMessageError

_LENGTH: Final = 0x03FF
_ENCRYPTION: Final = 0x1C00
_DIVIDED: Final = 0x2000
_REVISED: Final = 0x4000


class Said(IntEnum):
    """Messages of a terminal that we understand."""

    GENERAL_ANSWER = 0x0001
    HEARTBEAT = 0x0002
    SIGN_OFF = 0x0003
    TIME_QUERY = 0x0004
    REGISTRATION = 0x0100
    AUTHENTICATION = 0x0102
    LOCATION = 0x0200
    LOCATION_ANSWER = 0x0201
    LOCATION_BATCH = 0x0704


class Result(IntEnum):
    """What a general answer says."""

    DONE = 0
    FAILED = 1
    WRONG = 2
    UNSUPPORTED = 3


class Registered(IntEnum):
    """What the answer to a registration says."""

    DONE = 0
    NO_SUCH_TERMINAL = 4


class Part(NamedTuple):
    """Which sub-package of how many; `number` begins at 1."""

    total: int
    number: int


class Message(Struct, frozen=True):
    """One message of a terminal. `phone` has no leading zeros; `revised` is the edition of 2019."""

    id: int
    phone: str
    serial: int
    body: bytes
    revised: bool = False
    encrypted: bool = False
    part: Part | None = None


class Registration(Struct, frozen=True):
    """Who a terminal says it is (0x0100). `plate` is the registration plate of its vehicle, empty for none."""

    maker: str
    model: str
    terminal: str
    plate: str


def read(message: bytes) -> Message:
    """Read a message as framing gave it; raises UndecodableMessageError when its header is none."""
    try:
        number, properties = struct.unpack_from(">HH", message)
        revised = bool(properties & _REVISED)
        phone_at, serial_at = (5, 15) if revised else (4, 10)
        (serial,) = struct.unpack_from(">H", message, serial_at)
        body_at, part = serial_at + 2, None
        if properties & _DIVIDED:
            part = Part(*struct.unpack_from(">HH", message, body_at))
            body_at += 4
    except struct.error as error:
        raise UndecodableMessageError("a message shorter than its header", message) from error
    digits = message[phone_at:serial_at].hex()
    body = message[body_at:]
    if not digits.isdecimal():
        raise UndecodableMessageError(f"a telephone number {digits!r}", message)
    if len(body) != properties & _LENGTH:
        raise UndecodableMessageError(f"{len(body)} bytes of body, {properties & _LENGTH} announced", message)
    if part and not 1 <= part.number <= part.total:
        raise UndecodableMessageError(f"sub-package {part.number} of {part.total}", message)
    encrypted = bool(properties & _ENCRYPTION)
    return Message(number, digits.lstrip("0"), serial, body, revised=revised, encrypted=encrypted, part=part)


def read_registration(message: Message) -> Registration:
    """Read the body of a registration (0x0100); raises UndecodableMessageError when it is too short.

    Fields end at the first zero byte; text is GBK, and what is not becomes U+FFFD.
    """
    maker, model, terminal = (11, 30, 30) if message.revised else (5, 20, 7)
    plate_at = 4 + maker + model + terminal + 1
    if len(message.body) < plate_at:
        raise UndecodableMessageError(f"a registration of {len(message.body)} bytes", message.body)
    texts = struct.unpack_from(f"4x{maker}s{model}s{terminal}sx", message.body)
    made_by, model_name, unit = (_text(text) for text in texts)
    return Registration(made_by, model_name, unit, _text(message.body[plate_at:]))


def read_authentication(message: Message) -> str:
    """Read the code of an authentication (0x0102): the whole body, or in 2019 as many bytes as the first one says."""
    code = message.body
    if message.revised:
        length = code[0] if code else 0
        if len(code) < 1 + length:
            raise UndecodableMessageError(f"a code of {length} bytes in {len(code)}", code)
        code = code[1 : 1 + length]
    return _text(code)


def read_answered(message: Message) -> tuple[int, bytes]:
    """Split an answer (0x0201) into the serial number that it answers and the rest."""
    if len(message.body) < 2:  # noqa: PLR2004 - a word
        raise UndecodableMessageError("an answer without a serial number", message.body)
    return int.from_bytes(message.body[:2]), message.body[2:]


class Speaker:
    """Frames what is said to one terminal, in its edition, with serial numbers that count up."""

    def __init__(self, phone: str, *, revised: bool) -> None:
        self._revised = revised
        self._phone = bytes.fromhex(phone.rjust(20 if revised else 12, "0"))
        self._serial = 0

    def answer(self, serial: int, number: int, result: Result) -> bytes:
        """Return a general answer (0x8001) to the message with this serial number and id."""
        return self._say(0x8001, struct.pack(">HHB", serial, number, result))

    def registered(self, serial: int, result: Registered, code: str = "") -> bytes:
        """Return the answer to a registration (0x8100); the code is given only with DONE."""
        return self._say(0x8100, struct.pack(">HB", serial, result) + code.encode("ascii"))

    def time(self, now: datetime) -> bytes:
        """Return the answer to a query for the time (0x8004 of 2019): UTC in BCD."""
        return self._say(0x8004, bytes.fromhex(f"{now:%y%m%d%H%M%S}"))

    def where_are_you(self) -> tuple[int, bytes]:
        """Return a position query (0x8201) and its serial number."""
        return self._serial, self._say(0x8201, b"")

    def _say(self, number: int, body: bytes) -> bytes:
        properties = len(body) | (_REVISED if self._revised else 0)
        version = b"\x01" if self._revised else b""
        message = (
            struct.pack(">HH", number, properties) + version + self._phone + struct.pack(">H", self._serial) + body
        )
        self._serial = (self._serial + 1) & 0xFFFF
        return framed(message)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("gbk", "replace").strip()
