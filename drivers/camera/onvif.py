"""Asking a camera what it is and where its streams are: ONVIF, in a process of its own that ends with the answer.

The library (`onvif-zeep-async`) takes 66 MB and half a second to load, and parses what a stranger sends: neither
belongs into the agent. `python -m drivers.camera.onvif_child` reads a question and writes an answer.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from importlib.util import find_spec
from typing import Final, Literal

import msgspec
from msgspec import Struct

from drivers.camera.addresses import check_service
from drivers.camera.process import KEPT_ENVIRONMENT
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError

_LARGEST_ANSWER: Final = 256 * 1024
_SMALLEST_SUB_WIDTH: Final = 320


class OtherCertificateError(DeviceRefusedError):
    """The camera, or whoever is at its address, shows another certificate than the one that was pinned."""


class Question(Struct, frozen=True):
    """Which camera (`http://host:port` or `https://host`; the path is always that of the standard), and who asks.

    The password travels as a digest (WS-Security). Without a user only cameras that let anybody in answer. Over HTTPS
    the camera must show the `certificate` that is pinned (see `addresses.FINGERPRINT`), whatever authority or date it
    names: those of cameras are self-signed. Without one, what it shows first holds for this question, and is told in
    the answer.
    """

    service: str
    username: str | None = None
    password: str | None = None
    timeout_s: float = 10.0
    certificate: str | None = None

    def __repr__(self) -> str:
        """Show all but the password."""
        return f"Question(service={self.service!r}, username={self.username!r})"


class Stream(Struct, frozen=True):
    """One profile of a camera: `url` is RTSP and `snapshot` HTTP, both at the host that was asked, without a user."""

    profile: str
    url: str
    encoding: str = ""
    width: int = 0
    height: int = 0
    snapshot: str | None = None


class Description(Struct, frozen=True, tag="description"):
    """What a camera says of itself.

    `clock_offset_s` is its clock minus the box's, None where it tells no UTC; `certificate` the one that it showed,
    None over HTTP.
    """

    maker: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    clock_offset_s: float | None = None
    streams: tuple[Stream, ...] = ()
    certificate: str | None = None

    @property
    def main(self) -> Stream | None:
        """The stream with the largest picture."""
        return max(self.streams, key=lambda stream: stream.width, default=None)

    @property
    def sub(self) -> Stream | None:
        """The stream with the smallest picture that can still be analysed; None when it is the main one."""
        fit = [stream for stream in self.streams if stream.width >= _SMALLEST_SUB_WIDTH]
        smallest = min(fit, key=lambda stream: stream.width, default=None)
        return None if smallest is self.main else smallest


class Failure(Struct, frozen=True, tag="failure"):
    """Why there is no description: `refused` is not worth trying again without a change."""

    kind: Literal["refused", "unreachable", "other_certificate"]
    reason: str


Answer = Description | Failure


async def ask(question: Question) -> Description:
    """Ask a camera; the box's clock may be another than the camera's.

    Raises ConfigurationError for an address that is none or a missing package, DeviceUnreachableError when it does not
    answer in time, DeviceRefusedError when it refuses the user, or when what it answers makes no sense, and
    OtherCertificateError before anything was said to a camera with another certificate.
    """
    check_service(question.service, question.certificate)
    if find_spec("onvif") is None:
        raise ConfigurationError("asking cameras needs the package 'onvif': install diwang[onvif]")
    environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "drivers.camera.onvif_child",
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,  # the library's own words, which may repeat what the camera sent
        env=environment,
        limit=_LARGEST_ANSWER,
    )
    assert process.stdin is not None  # noqa: S101 - opened with pipes
    assert process.stdout is not None  # noqa: S101
    try:
        with suppress(ConnectionError):  # then it has no answer either
            process.stdin.write(msgspec.json.encode(question))
            await process.stdin.drain()
            process.stdin.close()
        # Its own limit comes first; this one is for a process that hangs.
        async with asyncio.timeout(2 * question.timeout_s + 10):
            answer = await process.stdout.read(_LARGEST_ANSWER)
    except TimeoutError as error:
        raise DeviceUnreachableError(f"{question.service} keeps its questioner waiting") from error
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return _understood(answer, question.service)


def _understood(answer: bytes, service: str) -> Description:
    try:
        said = msgspec.json.decode(answer, type=Answer)
    except msgspec.DecodeError as error:
        raise DeviceRefusedError(f"{service} answers what is no ONVIF") from error
    if isinstance(said, Description):
        return said
    refusals = {
        "unreachable": DeviceUnreachableError,
        "refused": DeviceRefusedError,
        "other_certificate": OtherCertificateError,
    }
    raise refusals[said.kind](f"{service}: {said.reason}")
