"""The hub's process: opens everything, runs it in one task group, and stops cleanly on SIGTERM and Ctrl-C."""

import asyncio
import json
import logging
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from hub import data_folder
from hub.api.patience import PatientProtocol
from hub.app import create_app
from hub.certificates.opening import door_socket
from hub.composition import Hub, open_hub
from hub.config import HttpSection, HubConfig, Secrets, read_secrets
from hub.door import Door, DoorProtocol
from hub.storage.database import open_database
from protocol import logs
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, DiwangError

log = logs.get(__name__)

STOPS_WITHIN_S: Final = 3
OK: Final = 0
FAILED: Final = 1
MISCONFIGURED: Final = 2


def run(config: HubConfig, *, check: bool = False) -> int:
    """Run the hub until SIGTERM or Ctrl-C and return the exit status: 0 stopped, 1 failed, 2 misconfigured.

    `check` only looks whether the settings can work. Prints a set-up token while there is no administrator, and a line
    for scripts when the hub answers: `DIWANG_HUB_READY {"hub":"http://…","broker":"mqtt://…","door":"https://…",
    "mqtts":…,"root":…}`.
    """
    logs.configure(program="hub", level=config.log_level)
    for chatty in ("alembic", "httpx", "uvicorn"):  # httpx would write down whole addresses, and what they hide
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        if check:
            open_database(config.database_url)
            print("the settings are good")  # noqa: T201 - the answer of --check
        else:
            asyncio.run(_run(config, read_secrets()))
    except ConfigurationError as error:
        log.critical("hub_misconfigured", reason=str(error))
        return MISCONFIGURED
    except DiwangError as error:
        log.critical("hub_cannot_start", reason=str(error))
        return FAILED
    except Exception:
        log.critical("hub_failed", exc_info=True)
        return FAILED
    return OK


async def _run(config: HubConfig, secrets: Secrets) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with data_folder.held(config), _listening(config.http) as listener, door_socket(config) as door:
        door_port = door.getsockname()[1] if door is not None else 0
        async with open_hub(config, secrets, SystemClock(), door_port=door_port) as hub:
            await _serve(hub, listener, door, stop)
    log.info("hub_stopped")


async def _serve(hub: Hub, listener: socket.socket, door: socket.socket | None, stop: asyncio.Event) -> None:
    app = create_app(hub.parts)
    servers = [(_Server(app, PatientProtocol), listener)]
    if door is not None and hub.door is not None:
        servers.append((_Server(Door(app), DoorProtocol, hub.door), door))
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = [group.create_task(run(), name=name) for name, run in hub.running.items()]
        serving = [group.create_task(server.serve([where]), name="http") for server, where in servers]
        _announce(hub, listener)
        await stop.wait()
        log.info("hub_stopping")
        hub.parts.stream.close()
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*serving)
        for task in tasks:
            task.cancel()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the process has one way to stop, and it is not uvicorn's."""

    def __init__(self, app: ASGIApp, protocol: type[PatientProtocol], context: ssl.SSLContext | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ssl_context_factory=None if context is None else lambda *_: context,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOPS_WITHIN_S,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _listening(http: HttpSection) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    try:
        listener = socket.create_server((http.host, http.port), family=family, backlog=512)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {http.host}:{http.port}: {error.strerror}") from error
    with listener:
        yield listener


def _announce(hub: Hub, listener: socket.socket) -> None:
    """Tell people and scripts where the hub is. The token goes to the console, never to the log."""
    host, port = listener.getsockname()[:2]
    address = hub.parts.config.http.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if hub.setup_token is not None:
        print(f"DIWANG_SETUP_TOKEN {hub.setup_token}", flush=True)  # noqa: T201 - shown here, and nowhere else
        print(f"  {address}/setup: 一小时内用一次 once, within an hour", flush=True)  # noqa: T201 - as above
    ready = {"hub": address, "broker": hub.parts.broker_address}
    if (issuing := hub.parts.issuing) is not None:
        ready |= {"door": issuing.door, "mqtts": issuing.broker, "root": issuing.authority.fingerprint}
    print("DIWANG_HUB_READY " + json.dumps(ready), flush=True)  # noqa: T201 - for scripts
    log.info("hub_ready", **ready)
