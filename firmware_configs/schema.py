"""What every profile of a device model says, and how the files of a family are found and checked.

A profile is looked for in the folders that the environment variable DIWANG_FIRMWARE_CONFIGS names, then in this
package: a configuration from the hub can bring a model that this version of the program does not know yet. The
variable is inherited by the processes that a driver starts.
"""

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from protocol.errors import ConfigurationError

VARIABLE: Final = "DIWANG_FIRMWARE_CONFIGS"
LARGEST: Final = 64 * 1024
_PACKAGE: Final = Path(__file__).parent
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")

Line = Annotated[str, Meta(min_length=1, max_length=300)]


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every family: who makes the model, and where what is said here comes from."""

    maker: Line
    model: Line
    summary: Line
    sources: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=16)]


ProfileT = TypeVar("ProfileT", bound=Profile)


@dataclass(frozen=True, slots=True)
class Family(Generic[ProfileT]):
    """The profiles of one kind of device: `folder` below each place that is searched, and the type of its files."""

    folder: str
    kind: type[ProfileT]

    def names(self) -> tuple[str, ...]:
        """Return the sorted names of all profiles that can be loaded."""
        found = {file.stem for place in places() for file in (place / self.folder).glob("*.toml")}
        return tuple(sorted(name for name in found if is_name(name)))

    def load(self, name: str) -> ProfileT:
        """Return a profile by its name, the file's name without its ending.

        Raises ConfigurationError when there is none, or when the file says something that the family does not know.
        """
        return self.parse(self.file(name).read_bytes(), name)

    def file(self, name: str) -> Path:
        """Return the file of a profile; raise ConfigurationError when there is none."""
        if is_name(name):
            for place in places():
                if (file := place / self.folder / f"{name}.toml").is_file():
                    return file
        known = ", ".join(self.names()) or "none"
        raise ConfigurationError(f"no profile {name[:80]!r} among the {self.folder}; known: {known}")

    def parse(self, content: bytes, name: str) -> ProfileT:
        """Return what a profile's file says; raise ConfigurationError for a file that cannot be one."""
        if len(content) > LARGEST:
            raise ConfigurationError(f"{self.folder}/{name}: more than {LARGEST} bytes")
        try:
            return msgspec.convert(tomllib.loads(content.decode()), self.kind)
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ConfigurationError(f"{self.folder}/{name}: {error}") from error


def is_name(name: str) -> bool:
    """Tell whether a text can be the name of a profile; none can lead out of its folder."""
    return _NAME.fullmatch(name) is not None


def places() -> Sequence[Path]:
    """Return the folders that are searched, the first that has a profile rules."""
    given = os.environ.get(VARIABLE, "")
    return [*(Path(place) for place in given.split(os.pathsep) if place), _PACKAGE]
