"""What the agent and a camera's own process say to each other, over the latter's standard input and output.

A message is its length in four bytes, big-endian, and then a tagged MessagePack map. The child's messages are bounded
by the picture in them; a pipe that is full holds the child's analyses back while its decoder goes on.
"""

import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final, Generic, TypeVar

import msgspec

from drivers.camera.options import CameraOptions
from protocol.errors import UndecodableMessageError
from protocol.messages import EventState, Severity

MAX_BYTES: Final = 1024 * 1024
GRACE_S: Final = 1.0
"""How long a child has to put its references down once the agent has closed the channel."""
_LENGTH: Final = struct.Struct(">I")


class _Said(msgspec.Struct, frozen=True, kw_only=True, tag_field="said", tag=True):
    pass


class Begin(_Said, frozen=True, kw_only=True):
    """The agent's first word: what to watch. The password comes this way because `ps` shows command lines."""

    options: CameraOptions
    password: str | None
    folder: str
    open_types: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Begin(folder={self.folder!r})"


class Take(_Said, frozen=True, kw_only=True):
    """The agent asks for a picture; the answer is a Taken or a NotTaken with this number."""

    number: int


class Connected(_Said, frozen=True, kw_only=True):
    """The source is open; its pictures have this size in pixels."""

    width: int
    height: int


class Alive(_Said, frozen=True, kw_only=True):
    """Said every second: how many pictures were decoded since the beginning."""

    pictures: int


class Found(_Said, frozen=True, kw_only=True):
    """An analysis found something; `picture` is a JPEG, or empty."""

    at: datetime
    type: str
    state: EventState
    severity: Severity
    score: float
    data: dict[str, Any] = {}
    picture: bytes = b""


class Taken(_Said, frozen=True, kw_only=True):
    """The picture that was asked for, as JPEG, and what `drivers.camera.picture.measures` says of it."""

    number: int
    at: datetime
    width: int
    height: int
    brightness: float
    sharpness: float
    picture: bytes


class NotTaken(_Said, frozen=True, kw_only=True):
    """Why there is no picture."""

    number: int
    reason: str


class Lost(_Said, frozen=True, kw_only=True):
    """The last word of a child whose source could not be opened or broke off."""

    reason: str


class Ended(_Said, frozen=True, kw_only=True):
    """The last word of a child whose recording is over."""


ToChild = Begin | Take
FromChild = Connected | Alive | Found | Taken | NotTaken | Lost | Ended
Message = TypeVar("Message")

_encoder: Final = msgspec.msgpack.Encoder()


def pack(message: ToChild | FromChild) -> bytes:
    """Write one message as it goes over the pipe."""
    body = _encoder.encode(message)
    if len(body) > MAX_BYTES:
        raise ValueError(f"a message of {len(body)} bytes, at most {MAX_BYTES} are allowed")
    return _LENGTH.pack(len(body)) + body


class Unpacker(Generic[Message]):
    """Makes messages of the pieces that come out of a pipe."""

    def __init__(self, decoder: "msgspec.msgpack.Decoder[Message]") -> None:
        self._decoder = decoder
        self._bytes = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take in the next piece, of any size."""
        self._bytes += piece

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages that are whole; raise UndecodableMessageError for bytes that are none."""
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > MAX_BYTES:
                raise UndecodableMessageError(f"a message of {length} bytes, at most {MAX_BYTES} are allowed", b"")
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            try:
                yield self._decoder.decode(body)
            except msgspec.DecodeError as error:
                raise UndecodableMessageError(str(error), body[:200]) from error


def from_child() -> Unpacker[FromChild]:
    """Return what the agent reads a child with."""
    return Unpacker(msgspec.msgpack.Decoder(FromChild))


def from_agent(pipe: BinaryIO) -> Iterator[ToChild]:
    """Yield what the agent says, waiting for it, until the pipe closes."""
    unpacker: Unpacker[ToChild] = Unpacker(msgspec.msgpack.Decoder(ToChild))
    while piece := pipe.read1(65_536):  # type: ignore[attr-defined] # every buffered pipe has it
        unpacker.feed(piece)
        yield from unpacker
