"""The process of one errand to the hub's door; see edge/errands.py. Nothing here is imported by the agent."""

import argparse
import asyncio
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from edge import config as configuration
from edge import config_file
from edge.bundles import Bundles
from edge.errands import Finding, Waiting
from edge.fetcher import Door
from edge.fetching import NotTrustedError, Source, Wanted
from edge.hub_http import hub_client
from edge.installing import install
from edge.slots import Slots
from protocol import logs
from protocol.errors import ConfigurationError, DiwangError, UplinkUnavailableError

Errand = Callable[[Source, configuration.Config, Path], Finding]

_SECRET: Final = re.compile(r"(?:^|_)(?:password|passwd|secret|token|key|psk|passphrase|credentials?)$")
_MASKED: Final = "***"
_DETAIL: Final = 4000


def main() -> int:
    """Run one errand and print what came of it."""
    parser = argparse.ArgumentParser(prog="edge.errand")
    parser.add_argument("verb", choices=("fetch", "install", "report"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--at", type=datetime.fromisoformat, required=True)
    parser.add_argument("--waiting", type=lambda text: msgspec.json.decode(text, type=Waiting))
    options = parser.parse_args()
    logs.configure(program="edge")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    found = asyncio.run(_run(options.verb, options.config, options.at.astimezone(UTC), options.waiting))
    try:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the agent was killed meanwhile; nobody wants to know any more
        os._exit(1)
    return 0


async def _run(verb: str, file: Path, at: datetime, waiting: Waiting | None) -> Finding:
    try:
        config = configuration.load_identity(file)
        async with hub_client(config, configuration.password(config.hub)) as client:
            if verb == "report":
                await _report(client, config, file, waiting)
                return Finding(outcome="nothing")
            source = Source(config, Door(client, asyncio.get_running_loop()), at)
            errand = _fetch if verb == "fetch" else _install
            return await asyncio.to_thread(_alone, errand, source, config, file)
    except NotTrustedError as error:
        return Finding(outcome="not_trusted", reason=str(error))
    except (DiwangError, OSError) as error:
        return Finding(outcome="unavailable", reason=str(error))


def _alone(errand: Errand, source: Source, config: configuration.Config, file: Path) -> Finding:
    with Bundles(config.data).alone():
        return errand(source, config, file)


def _fetch(source: Source, config: configuration.Config, file: Path) -> Finding:
    """Find out what this box is to run; fetch and check the bundle unless another release is to run it."""
    source.refresh()
    wanted = source.wanted()
    if wanted is None:
        return Finding(outcome="nothing")
    bundles, slots = Bundles(config.data), Slots.of(config.updates.slots)
    ledger = bundles.read()
    found = Finding(outcome="wanted", bundle=wanted.bundle, release=wanted.release)
    if wanted.bundle == ledger.running or ledger.rejects(wanted.bundle) or slots.lacks(wanted.release, _version()):
        return found
    source.stage(wanted)
    return _checked(bundles, wanted, file) or found


def _checked(bundles: Bundles, wanted: Wanted, file: Path) -> Finding | None:
    """Return why this box cannot run a bundle, None when it can."""
    place = bundles.place(wanted.bundle)
    bundles.look_in(place)
    try:
        configuration.load(file, place)
    except ConfigurationError as error:
        return Finding(outcome="refused", about=wanted.bundle, bundle=wanted.bundle, reason=str(error)[:_DETAIL])
    return None


def _install(source: Source, config: configuration.Config, file: Path) -> Finding:
    """Install the release that this box is to run into the slot that does not run."""
    source.refresh()
    wanted = source.wanted()
    if wanted is None or not wanted.release:
        return Finding(outcome="nothing")
    try:
        slot = install(source, Slots.of(config.updates.slots), wanted.release, file)
    except ConfigurationError as error:
        return Finding(outcome="refused", about=wanted.release, release=wanted.release, reason=str(error)[:_DETAIL])
    return Finding(outcome="ready", release=wanted.release, slot=slot)


async def _report(client: httpx.AsyncClient, config: configuration.Config, file: Path, waiting: Waiting | None) -> None:
    bundles = Bundles(config.data)
    ledger = bundles.read()
    body = {
        "bundle": ledger.running,
        "outcome": ledger.outcome,
        "about": ledger.about[:128],
        "detail": ledger.detail[:_DETAIL],
        "agent": _version(),
        "config": _masked(config_file.of_the_hub(file, bundles.place(ledger.running))),
    }
    if waiting is not None:
        names = ", ".join(waiting.devices)
        body |= {"outcome": "waiting", "about": waiting.about, "detail": f"等待设备完成 waiting for: {names}"[:_DETAIL]}
    try:
        response = await client.put(
            "/gateway/v1/configs/reported",
            content=msgspec.json.encode(body, enc_hook=str),
            headers={"Content-Type": "application/json"},
        )
    except httpx.HTTPError as error:
        raise UplinkUnavailableError(f"the hub's door: {error}") from error
    if not response.is_success:
        raise UplinkUnavailableError(f"the hub takes no report: HTTP {response.status_code} {response.text[:500]}")


def _masked(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any TOML value
    """Return a configuration in which nothing is left that looks like a secret."""
    match value:
        case Mapping():
            return {key: _masked(part, key) for key, part in value.items()}
        case list():
            return [_masked(part, name) for part in value]
        case str() if value and _SECRET.search(name.lower()):
            return _MASKED
        case str() if "://" in value and "@" in value:
            return _without_user(value)
    return value


def _without_user(address: str) -> str:
    try:
        url = urlsplit(address)
    except ValueError:
        return _MASKED
    if url.username is None and url.password is None:
        return address
    return urlunsplit(url._replace(netloc=f"{_MASKED}@{url.netloc.rpartition('@')[2]}"))


def _version() -> str:
    return version("diwang")


if __name__ == "__main__":
    sys.exit(main())
