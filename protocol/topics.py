"""MQTT topics of contract version 1, spelled here and nowhere else."""

import re
from enum import StrEnum
from typing import NamedTuple

from protocol.errors import UndecodableMessageError

ROOT = "diwang/v1"
LEVEL_PATTERN = r"^[a-z0-9_-]{1,64}$"
_LEVEL = re.compile(LEVEL_PATTERN)
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


class Up(StrEnum):
    """What a gateway publishes."""

    STATE = "state"
    BATCH = "batch"
    IMAGE = "image"
    REPLY = "reply"


class UplinkTopic(NamedTuple):
    """A parsed topic of a gateway's `up` branch. `sha256` is set for images only."""

    gateway: str
    kind: Up
    sha256: str | None = None


def is_level(name: str) -> bool:
    """Whether a name may be a gateway, a device or any other topic level."""
    return _LEVEL.fullmatch(name) is not None


def state(gateway: str) -> str:
    """Topic of the retained state and the last will."""
    return f"{ROOT}/{gateway}/up/state"


def batch(gateway: str) -> str:
    """Topic of batches."""
    return f"{ROOT}/{gateway}/up/batch"


def image(gateway: str, sha256: str) -> str:
    """Topic of one image, named by the SHA-256 of its bytes in lower-case hexadecimal."""
    return f"{ROOT}/{gateway}/up/image/{sha256}"


def reply(gateway: str) -> str:
    """Topic of replies to commands."""
    return f"{ROOT}/{gateway}/up/reply"


def ack(gateway: str) -> str:
    """Topic on which the hub acknowledges what it has committed."""
    return f"{ROOT}/{gateway}/down/ack"


def command(gateway: str) -> str:
    """Topic of commands to a gateway."""
    return f"{ROOT}/{gateway}/down/command"


def everything_up() -> str:
    """Filter of every gateway's `up` branch, for a hub on a plain MQTT broker."""
    return f"{ROOT}/+/up/#"


def parse_up(topic: str) -> UplinkTopic:
    """Read a topic of a gateway's `up` branch; raise UndecodableMessageError for any other."""
    levels = topic.split("/")
    well_formed = len(levels) in {5, 6} and "/".join(levels[:2]) == ROOT and levels[3] == "up" and is_level(levels[2])
    if not well_formed or levels[4] not in set(Up):
        raise UndecodableMessageError(f"no topic of {ROOT}: {topic[:200]!r}", b"")
    kind = Up(levels[4])
    digest = levels[5] if len(levels) == 6 else None  # noqa: PLR2004 - the sixth level is the image's digest
    if (kind is Up.IMAGE) != (digest is not None) or (digest is not None and not _SHA256.fullmatch(digest)):
        raise UndecodableMessageError(f"an image topic ends in a SHA-256, no other does: {topic[:200]!r}", b"")
    return UplinkTopic(levels[2], kind, digest)
