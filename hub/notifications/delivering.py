"""Delivering notifications: a signed POST, or a line on the hub's standard output. At least once.

    async with open_delivery(parts) as delivery:
        handlers = {DELIVER: delivery.deliver}            # for hub.jobs.worker.Worker

2xx is accepted, 404 and 410 are permanent, everything else is tried again for a day; then the notification is dead, and
seen to be so in the ledger.
"""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, TextIO
from uuid import UUID

import httpx
import msgspec

from hub.jobs import retrying
from hub.jobs.model import Job
from hub.notifications import repository
from hub.notifications.addresses import AddressPolicy
from hub.notifications.channels import ensure_console
from hub.notifications.model import Channel, Notification
from hub.notifications.signing import signed_headers
from hub.parts import Parts
from hub.storage.database import Database
from hub.words.catalogue import Language
from protocol import logs
from protocol.clock import Clock
from protocol.errors import DiwangError, PermanentError, TransientError, UplinkUnavailableError

log = logs.get(__name__)

ANSWER_S: Final = 10.0
"""How long a receiver may take, from the first packet to its status."""

_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_LIMITS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=0)
"""No connection is used twice: it was opened under the name of one receiver, and another may share its address."""


@asynccontextmanager
async def open_delivery(parts: Parts) -> AsyncIterator["Delivery"]:
    """Open what the settings say, with a first channel to the console unless they say otherwise.

    Raises ConfigurationError for networks that are none.
    """
    settings = parts.config.notifications
    policy = AddressPolicy.of(settings.allow)
    if settings.console:
        async with parts.database.write() as session:
            await ensure_console(session, parts.clock)
    delivery = Delivery(parts.database, parts.clock, policy, language=settings.language)
    try:
        yield delivery
    finally:
        await delivery.close()


class Delivery:
    """Delivers notifications. Holds the connections to receivers until closed.

    `tls` says which certificates are trusted; those of the machine when left out.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policy: AddressPolicy,
        *,
        language: Language = "zh-CN",
        console: TextIO | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._language = language
        self._console = console or sys.stdout
        # No proxy from the environment and no redirects: both would lead past the check of addresses.
        self._http = httpx.AsyncClient(
            verify=tls or True, timeout=ANSWER_S, limits=_LIMITS, trust_env=False, follow_redirects=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def deliver(self, job: Job) -> None:
        """Handle one job. Raises TransientError to be called again, PermanentError when it is given up."""
        notification_id = UUID(job.payload["notification"])
        async with self._database.read() as session:
            found = await repository.with_channel(session, notification_id)
        if found is None:
            raise PermanentError(f"no notification {notification_id}")
        notification, channel = found
        if notification.state != "queued":
            return
        try:
            await self._send(notification, channel)
        except DiwangError as error:
            lives = isinstance(error, TransientError) and not retrying.exhausted(job, self._clock.now())
            await self._settle(notification, "queued" if lives else "dead", str(error))
            if lives:
                raise
            facts = {"notification": str(notification.id), "channel": channel.name, "reason": str(error)}
            log.warning("notification_dead", **facts)
            raise PermanentError(str(error)) from error
        await self._settle(notification, "accepted", "")

    async def _settle(self, notification: Notification, state: str, error: str) -> None:
        async with self._database.write() as session:
            await repository.settle(session, notification.id, state, self._clock.now(), error)

    async def _send(self, notification: Notification, channel: Channel) -> None:
        if not channel.enabled:
            raise PermanentError("the channel is switched off")
        if channel.kind == "console":
            self._say(notification.payload["data"]["text"][self._language])
        else:
            await self._post(notification, channel)

    def _say(self, line: str) -> None:
        """Write one line; characters that the console does not have become question marks."""
        encoding = self._console.encoding or "utf-8"
        try:
            self._console.write(line.encode(encoding, "replace").decode(encoding) + "\n")
            self._console.flush()
        except (OSError, ValueError) as error:  # its disk is full, its reader is gone, it was closed
            raise UplinkUnavailableError(f"the console takes nothing: {error}") from error

    async def _post(self, notification: Notification, channel: Channel) -> None:
        url = self._policy.require_url(channel.options["url"])
        address = await self._policy.resolve(url)
        body = msgspec.json.encode(notification.payload)
        stamp = int(self._clock.now().timestamp())
        headers = signed_headers(channel.secret, str(notification.id), stamp, body) | {
            "content-type": "application/cloudevents+json; charset=utf-8",
            "host": url.netloc.decode(),
            "user-agent": "diwang",
        }
        # The checked address is called, under the name that was asked for: a second look-up could answer otherwise.
        target, named = url.copy_with(host=str(address)), {"sni_hostname": url.host}
        request = self._http.build_request("POST", target, content=body, headers=headers, extensions=named)
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._http.send(request, stream=True)
                await answer.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            raise UplinkUnavailableError(f"{type(error).__name__}: {error}") from error
        if answer.status_code in _GONE:
            raise PermanentError(f"the receiver is gone: HTTP {answer.status_code}")
        if not answer.is_success:
            raise UplinkUnavailableError(f"the receiver answers HTTP {answer.status_code}")
