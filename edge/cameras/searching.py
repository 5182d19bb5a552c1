"""Cameras around the box: who answers, of which brand, with which streams, and how that is written down."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.camera import discovery, onvif
from drivers.camera.discovery import Found
from drivers.camera.onvif import Description, Question
from firmware_configs.cameras import CAMERAS, Camera
from protocol.errors import DeviceRefusedError, DeviceUnreachableError

_ASKED_AT_ONCE: Final = 2
"""Each takes 66 MB while it lasts."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks the cameras; the password is in a file, and is written down as that."""

    name: str
    password_file: Path

    def password(self) -> str:
        """Read the password; raises OSError or UnicodeDecodeError."""
        return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A camera that answered. `description` is None when nobody asked it, or for the `reason` that is given."""

    found: Found
    brand: Camera | None
    description: Description | None = None
    reason: str = ""

    @property
    def asked_at(self) -> dict[str, str]:
        """Where it is asked again, and by which certificate it is known there, as options; nothing if nobody asked."""
        if self.description is None:
            return {}
        certificate = self.description.certificate
        return {"service": self.found.service} | ({"certificate": certificate} if certificate else {})

    @property
    def streams(self) -> tuple[str, str | None] | None:
        """The addresses of the main and the sub-stream: as it says, as its brand has them, or None if nobody knows."""
        if self.description:
            main, sub = self.description.main, self.description.sub
            return (main.url, sub.url if sub else None) if main else None
        if self.brand:
            return self.brand.stream(self.found.host), self.brand.stream(self.found.host, sub=True)
        return None


async def search(
    seconds: float, user: User | None, *, through: Iterable[str] | None = None, port: int = discovery.PORT
) -> list[Candidate]:
    """Call for cameras, and ask each that answers if we have a user.

    Raises DeviceUnreachableError when the box has no network, OSError or UnicodeDecodeError for an unreadable password.
    """
    password = user.password() if user else None
    found = [each async for each in discovery.discover(seconds, through=through, port=port)]
    turns = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def asked(camera: Found) -> Candidate:
        brand = _brand(camera)
        if user is None:
            return Candidate(camera, brand)
        try:
            async with turns:
                description = await onvif.ask(Question(camera.service, user.name, password))
        except (DeviceRefusedError, DeviceUnreachableError) as error:
            return Candidate(camera, brand, reason=str(error))
        return Candidate(camera, brand, description)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asked(each)) for each in found]
    return [task.result() for task in tasks]


def section(
    device: str, streams: tuple[str, str | None], user: User | None, asked_at: Mapping[str, str] | None = None
) -> str:
    """Return the part of a box's configuration that makes a device of a camera."""
    main, sub = streams
    options = {"url": main}
    if sub:
        options["sub_stream"] = sub
    options |= asked_at or {}
    if user:
        options |= {"username": user.name, "password_file": str(user.password_file.absolute())}
    # A JSON string is a basic string of TOML, but for U+007F, which no address or path here may hold.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in options.items()]
    return "\n".join((f"[devices.{device}]", 'driver = "camera"', "", f"[devices.{device}.options]", *lines, ""))


def _brand(camera: Found) -> Camera | None:
    text = f"{camera.name} {camera.hardware}"
    brands = (CAMERAS.load(name) for name in CAMERAS.names())
    return next((brand for brand in brands if brand.is_named_in(text)), None)
