"""A terminal of JT/T 808: frames built byte by byte from the standard's tables, and one that calls a box.

It shares no code with the driver, so that both would have to misread the standard in the same way.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta


def frame(
    number: int, body: bytes, *, phone: str, serial: int, year: int = 2013, part: tuple[int, int] | None = None
) -> bytes:
    """Table 1 to 3: id, properties, (version,) phone, serial, (total and number of the part), body, check byte."""
    properties = len(body)
    if part is not None:
        properties += 1 << 13
    if year == 2019:
        properties += 1 << 14
    message = word(number) + word(properties)
    if year == 2019:
        message += b"\x01" + bcd(phone, 10)
    else:
        message += bcd(phone, 6)
    message += word(serial)
    if part is not None:
        message += word(part[0]) + word(part[1])
    return enclosed(message + body)


def enclosed(message: bytes) -> bytes:
    """Section 4.4.2: the check byte, then the escapes, then the delimiters."""
    check = 0
    for byte in message:
        check ^= byte
    escaped = bytearray()
    for byte in (*message, check):
        if byte == 0x7E:
            escaped += b"\x7d\x02"
        elif byte == 0x7D:
            escaped += b"\x7d\x01"
        else:
            escaped.append(byte)
    return b"~" + bytes(escaped) + b"~"


def opened(answer: bytes) -> bytes:
    """The message in a frame that was sent to a terminal; fails for a wrong check byte."""
    assert answer[:1] == answer[-1:] == b"~"
    message = answer[1:-1].replace(b"\x7d\x02", b"~").replace(b"\x7d\x01", b"\x7d")
    check = 0
    for byte in message:
        check ^= byte
    assert check == 0
    return message[:-1]


def location(
    at: datetime,
    latitude: float = 24.57,
    longitude: float = 118.10,
    *,
    alarms: int = 0,
    status: int = 0b11,
    altitude: int = 31,
    speed: int = 361,
    course: int = 90,
    items: bytes = b"",
) -> bytes:
    """Table 23: the body of a location report. Speed in 0.1 km/h; the time is written in UTC+8."""
    status |= (latitude < 0) << 2 | (longitude < 0) << 3
    body = double(alarms) + double(status)
    body += double(round(abs(latitude) * 1_000_000)) + double(round(abs(longitude) * 1_000_000))
    body += word(altitude & 0xFFFF) + word(speed) + word(course)
    return body + bcd(f"{at + timedelta(hours=8):%y%m%d%H%M%S}", 6) + items


def batch(*locations: bytes, kind: int = 1) -> bytes:
    """Table 75: how many, of which kind (1: kept in a blind area), then each with its length."""
    return word(len(locations)) + bytes((kind,)) + b"".join(word(len(each)) + each for each in locations)


def registration(terminal: str = "T000001", *, plate: str = "闽D12345", year: int = 2013) -> bytes:
    """Table 5: province, city, maker, model, terminal, colour of the plate, plate."""
    maker, model, unit = (11, 30, 30) if year == 2019 else (5, 20, 7)
    return (
        word(35)
        + word(211)
        + b"DWANG".ljust(maker, b"\0")
        + b"P-1".ljust(model, b"\0")
        + terminal.encode("ascii").ljust(unit, b"\0")
        + b"\x02"
        + plate.encode("gbk")
    )


def authentication(code: str, *, year: int = 2013) -> bytes:
    """Table 8: the code; in 2019 its length before it, IMEI and software version behind it."""
    if year == 2013:
        return code.encode("ascii")
    return bytes((len(code),)) + code.encode("ascii") + b"123456789012345" + b"1.0".ljust(20, b"\0")


def item(number: int, value: bytes) -> bytes:
    return bytes((number, len(value))) + value


def word(number: int) -> bytes:
    return number.to_bytes(2, "big")


def double(number: int) -> bytes:
    return number.to_bytes(4, "big")


def bcd(digits: str, length: int) -> bytes:
    return bytes.fromhex(digits.rjust(length * 2, "0"))


class Caller:
    """A terminal that is connected to a box, and knows what it was answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, phone: str, year: int) -> None:
        self._reader, self._writer, self._phone, self._year = reader, writer, phone, year
        self.serial = 0

    async def say(self, number: int, body: bytes = b"", *, part: tuple[int, int] | None = None) -> int:
        """Send a message; return its serial number."""
        self.serial += 1
        message = frame(number, body, phone=self._phone, serial=self.serial, year=self._year, part=part)
        await self.send(message)
        return self.serial

    async def send(self, raw: bytes) -> None:
        self._writer.write(raw)
        await self._writer.drain()

    async def hear(self) -> tuple[int, int, bytes]:
        """Return id, serial number and body of what the box says next. EOFError when it has hung up."""
        async with asyncio.timeout(20):
            await self._reader.readexactly(1)
            message = opened(b"~" + await self._reader.readuntil(b"~"))
        body_at = 17 if self._year == 2019 else 12
        number, properties = int.from_bytes(message[:2], "big"), int.from_bytes(message[2:4], "big")
        assert bool(properties & 1 << 14) == (self._year == 2019)
        assert properties & 0x3FF == len(message) - body_at
        assert message[5:15] == bcd(self._phone, 10) if self._year == 2019 else message[4:10] == bcd(self._phone, 6)
        return number, int.from_bytes(message[body_at - 2 : body_at], "big"), message[body_at:]

    async def answered(self) -> tuple[int, int, int]:
        """Return what a general answer says: serial number and id of the message, and the result."""
        number, _, body = await self.hear()
        assert number == 0x8001
        assert len(body) == 5
        return int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big"), body[4]

    async def register(self, terminal: str = "T000001") -> tuple[int, str]:
        """Return the result and the code of a registration."""
        serial = await self.say(0x0100, registration(terminal, year=self._year))
        number, _, body = await self.hear()
        assert (number, int.from_bytes(body[:2], "big")) == (0x8100, serial)
        return body[2], body[3:].decode("ascii")

    async def authenticate(self, code: str) -> int:
        """Return the result of an authentication."""
        serial = await self.say(0x0102, authentication(code, year=self._year))
        answered, number, result = await self.answered()
        assert (answered, number) == (serial, 0x0102)
        return result

    async def sign_on(self) -> str:
        """Register and authenticate; return the code."""
        result, code = await self.register()
        assert result == 0
        assert await self.authenticate(code) == 0
        return code

    async def gone(self) -> bytes:
        """Wait until the box has hung up; return what it said until then."""
        said = b""
        async with asyncio.timeout(20):
            with suppress(ConnectionError):
                while piece := await self._reader.read(1024):
                    said += piece
        return said


@asynccontextmanager
async def calling(port: int, phone: str = "13912345678", *, year: int = 2013) -> AsyncIterator[Caller]:
    """A terminal that has dialled the box on this port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Caller(reader, writer, phone, year)
    finally:
        writer.transport.abort()
