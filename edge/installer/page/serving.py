"""The page as a program: it serves until it is ended, or nobody has used it for an hour."""

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from edge.installer.access import Access
from edge.installer.agents import Agents
from edge.installer.hub import Hub
from edge.installer.page.app import create_app
from edge.installer.page.visit import Visit
from edge.installer.scanning import Around
from protocol.clock import Clock

IDLE_S: Final = 3_600.0
_ENDS_WITHIN_S: Final = 3


async def serve(
    file: Path,
    listener: socket.socket,
    password: str,
    clock: Clock,
    *,
    around: Around,
    ready: Callable[[], None],
    idle_s: float = IDLE_S,
) -> None:
    """Serve the page on this socket until somebody ends it, a signal does, or it was not used for `idle_s`."""
    for chatty in ("httpx", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    used_at = clock.monotonic()

    def touch() -> None:
        nonlocal used_at
        used_at = clock.monotonic()

    def end() -> None:
        server.should_exit = True

    async def end_when_idle() -> None:
        while (left := used_at + idle_s - clock.monotonic()) > 0:  # noqa: ASYNC110 - it waits for what does not happen
            await asyncio.sleep(left)
        end()

    async with asyncio.TaskGroup() as tasks:
        visit = Visit(file, clock, Agents(file), Hub(file), around, tasks)
        app = create_app(visit, Access(password, clock), touch, end)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=_ENDS_WITHIN_S,
            )
        )
        idle = tasks.create_task(end_when_idle(), name="idle")
        ready()
        await server.serve([listener])
        idle.cancel()
        visit.cancel()
