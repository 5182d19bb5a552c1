"""Renewing the box's identity: `python -m edge.enrolment.renewing --config site.toml`, a process of its own.

The certificate library is large and must not stay in the agent. The new identity is tried at the hub's door before it
takes over, and whatever is cut off at any moment, the box has one that works: until the hub has seen the new one it
takes the old one, and the new one lies complete on the disk before the hub can have seen it.
"""

import argparse
import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from edge import config as configuration
from edge.config import Config, Secret
from edge.enrolment import identity, keys
from edge.enrolment.identity import Validity
from edge.enrolment.renewal import Outcome, Renewed
from edge.hub_http import hub_client
from protocol import logs
from protocol.enrolment import GATEWAY_API
from protocol.errors import DiwangError
from protocol.lasting import replace_file, sync_folder
from protocol.messages import Level

log = logs.get(__name__)

_NOT_KNOWN: Final = 401


class _Given(Struct, frozen=True, kw_only=True):
    gateway: Level
    certificate: str
    hub_at: datetime
    renew_at: datetime
    not_after: datetime


class _Answer(Struct, frozen=True, kw_only=True):
    detail: str = ""


def main() -> int:
    """Renew once and print what came of it."""
    parser = argparse.ArgumentParser(prog="edge.enrolment.renewing")
    parser.add_argument("--config", type=Path, required=True)
    options = parser.parse_args()
    logs.configure(program="edge")
    try:
        renewed = asyncio.run(renew(configuration.load_identity(options.config)))
    except (DiwangError, OSError, httpx.TransportError, msgspec.DecodeError) as error:
        renewed = Renewed(outcome=Outcome.UNAVAILABLE, reason=str(error) or type(error).__name__)
    sys.stdout.buffer.write(msgspec.json.encode(renewed) + b"\n")
    return 0


async def renew(config: Config) -> Renewed:
    """Get the next identity, try it, and let it take over; one that an earlier attempt left behind is tried first.

    Raises OSError when the disk does not take it, httpx.TransportError when the door does not answer,
    msgspec.DecodeError for an answer that makes no sense, and ConfigurationError for files that do not serve.
    """
    waiting = Path(config.hub.cert_file).with_name(identity.NEXT)
    root = _content(config.hub.ca_file)
    if waiting.exists():
        tried = await _try(config, waiting)
        if tried.outcome is not Outcome.REFUSED:
            return tried
        # The hub has not taken it and never will: it was given another one since, or has none of this name any more.
        log.warning("next_identity_given_up", reason=tried.reason)
        waiting.unlink()
    key = keys.new_key()
    async with hub_client(config, Secret("")) as door:
        answer = await door.post(f"{GATEWAY_API}/renew", json={"request": keys.request_pem(key, config.gateway.id)})
    if answer.status_code != httpx.codes.OK:
        return _not_done(answer)
    given = msgspec.json.decode(answer.content, type=_Given)
    if wrong := keys.flaw(given.certificate, root, key, config.gateway.id):
        return Renewed(outcome=Outcome.UNAVAILABLE, reason=wrong)
    validity = Validity(given.hub_at, given.renew_at, given.not_after)
    replace_file(waiting, identity.written(validity, keys.key_pem(key), given.certificate, root))
    return await _try(config, waiting)


async def _try(config: Config, waiting: Path) -> Renewed:
    """Show the next identity at the door; when the hub takes it, let it take over here."""
    hub = msgspec.structs.replace(config.hub, cert_file=str(waiting), key_file=str(waiting))
    async with hub_client(msgspec.structs.replace(config, hub=hub), Secret("")) as door:
        answer = await door.post(f"{GATEWAY_API}/confirm")
    if answer.status_code != httpx.codes.OK:
        return _not_done(answer)
    _take_over(waiting, config.hub.cert_file)
    return Renewed(outcome=Outcome.RENEWED)


def _take_over(waiting: Path, current: str) -> None:
    waiting.replace(current)
    sync_folder(waiting.parent)


def _content(file: str) -> str:
    return Path(file).read_text(encoding="ascii")


def _not_done(answer: httpx.Response) -> Renewed:
    try:
        detail = msgspec.json.decode(answer.content, type=_Answer).detail
    except msgspec.DecodeError:
        detail = ""
    outcome = Outcome.REFUSED if answer.status_code == _NOT_KNOWN else Outcome.UNAVAILABLE
    return Renewed(outcome=outcome, reason=detail or f"HTTP {answer.status_code}")


if __name__ == "__main__":
    sys.exit(main())
