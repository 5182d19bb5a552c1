"""What was found and what a person says of it become a device."""

import re
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from drivers.camera import onvif
from drivers.camera.onvif import Question
from edge.config import Config
from edge.installer.found import Found
from edge.installer.writing import add_device
from protocol.errors import ConfigurationError

CLOCK_OFF_S: Final = 2.0
_BIND_KEY: Final = re.compile(r"[0-9A-Fa-f]{32}")


class Answers(Struct, frozen=True, kw_only=True):
    """What a person says of a device; empty is not said. `repr` shows no secret."""

    name: str
    username: str = ""
    password: str = ""
    profile: str = ""
    bind_key: str = ""
    low: float | None = None
    high: float | None = None

    def __repr__(self) -> str:
        """Show what is no secret."""
        return f"Answers(name={self.name!r}, username={self.username!r}, profile={self.profile!r})"


class Added(Struct, frozen=True, kw_only=True):
    """A device that stands in the configuration now; `clock_off_s` is what its own clock is wrong by, where it is."""

    name: str
    config: Config
    clock_off_s: float | None = None


async def add(file: Path, found: Found, answers: Answers) -> Added:
    """Complete what was found and write it into the box's file.

    A camera is asked for its streams if there is a user. Raises ConfigurationError as `add_device`, or when something
    is missing; DeviceRefusedError and DeviceUnreachableError when the camera refuses the user, or does not answer.
    """
    options: dict[str, Any] = dict(found.options)
    secrets: dict[str, str] = {}
    clock_off_s = None
    if "user" in found.wants:
        streams, clock_off_s = await _asked(found, answers)
        options |= streams
        if answers.username:
            options["username"] = answers.username
            secrets["password_file"] = answers.password
    if "profile" in found.wants:
        if answers.profile not in found.profiles:
            raise ConfigurationError(f"the model is one of {', '.join(found.profiles)}")
        options["profile"] = answers.profile
    if "bind_key" in found.wants:
        if not _BIND_KEY.fullmatch(answers.bind_key):
            raise ConfigurationError("a bind key is 32 hexadecimal digits")
        secrets["source.bind_key_file"] = answers.bind_key
    if answers.low is not None or answers.high is not None:
        limits = {"low": answers.low, "high": answers.high}
        options["limits"] = {name: value for name, value in limits.items() if value is not None}
    config = add_device(file, answers.name, found.driver, options, secrets)
    return Added(name=answers.name, config=config, clock_off_s=clock_off_s)


async def _asked(found: Found, answers: Answers) -> tuple[dict[str, Any], float | None]:
    """Return the addresses that a camera names, and how wrong its clock is; nothing without a user to ask with.

    The certificate that it shows now, before the installer's eyes, is the one by which it is known from now on.
    """
    if not (answers.username and found.service):
        if not found.options:
            raise ConfigurationError(
                "this camera says where its stream is only to a user: name and password are needed"
            )
        return {}, None
    said = await onvif.ask(Question(found.service, answers.username, answers.password))
    offset = said.clock_offset_s
    clock_off_s = offset if offset is not None and abs(offset) > CLOCK_OFF_S else None
    known = {"service": found.service} | ({"certificate": said.certificate} if said.certificate else {})
    if said.main is None:
        if not found.options:
            raise ConfigurationError("this camera names no stream")
        return known, clock_off_s
    streams = {"url": said.main.url} | ({"sub_stream": said.sub.url} if said.sub else {})
    return streams | known, clock_off_s
