"""What systemd hears of the agent (sd_notify(3)): ready, alive, stopping."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from protocol import logs

_ANSWER_WITHIN_S: Final = 10.0

log = logs.get(__name__)


class Notifier:
    """The socket named in the environment, or nobody when there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        self._interval_s = int(microseconds) / 2_000_000 if self._address and microseconds.isdigit() else None

    def ready(self) -> None:
        """The agent accepts records."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The agent ends on purpose."""
        self._send("STOPPING=1")

    async def feed_watchdog(self, alive: Callable[[], Awaitable[object]]) -> None:
        """Tell systemd at half its interval that this loop turns and that `alive` answers; until cancelled."""
        if not self._interval_s:
            return
        while True:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN_S):
                    await alive()
            except TimeoutError:
                log.critical("outbox_does_not_answer", within_s=_ANSWER_WITHIN_S)
            else:
                self._send("WATCHDOG=1")
            await asyncio.sleep(self._interval_s)

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
                speaker.sendto(message.encode(), address)
        except OSError as error:
            log.warning("systemd_not_told", message=message, reason=str(error))
