"""Signing on the spot, for the operator of the machine, whether the hub runs or not: releases, and new keys."""

from pathlib import Path
from typing import Final

from hub import data_folder
from hub.config import HubConfig
from hub.configs.keys import FOLDER, SigningKeys
from hub.configs.releases import taken_in
from hub.configs.signing import LIFE, Signing
from hub.offline import writing
from protocol.clock import Clock
from protocol.errors import ConfigurationError

ROLES: Final = tuple(LIFE)


async def add_release(config: HubConfig, clock: Clock, version: str, wheelhouse: Path) -> int:
    """Sign a folder of wheels as a release of the agent; return how many files it has.

    Raises ConfigurationError for a folder that is none, or when the key of `targets` is not on this machine.
    """
    data_folder.make(config.data)
    signed = taken_in(config.data, version, wheelhouse)
    async with writing(config) as session:
        signing = await Signing.begun(session, _keys(config), clock)
        await signing.release(signed)
    return len(signed)


async def releases(config: HubConfig, clock: Clock) -> list[str]:
    """Return the versions of the agent that are signed."""
    async with writing(config) as session:
        return (await Signing.begun(session, _keys(config), clock)).releases()


async def exchange(config: HubConfig, clock: Clock, role: str) -> None:
    """Give a role a new key, sign anew what the old one signed, and delete the old one once that is committed.

    Boxes follow by themselves: the new root is signed so that the old one vouches for it. Raises ConfigurationError for
    an unknown role, or when the key of the role that answers for it is not on this machine.
    """
    if role not in ROLES:
        raise ConfigurationError(f"there is no role {role!r}; there are {', '.join(ROLES)}")
    async with writing(config) as session:
        over = await (await Signing.begun(session, _keys(config), clock)).exchange(role)
    _keys(config).forget(role, over)


def _keys(config: HubConfig) -> SigningKeys:
    return SigningKeys(config.data / FOLDER)
