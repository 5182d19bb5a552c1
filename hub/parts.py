"""Everything a request may use. Built in composition.py, and by tests from real parts of their own.

An endpoint asks for them by type:

    async def last(parts: PartsHere) -> …:
        async with parts.database.read() as session: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from hub.accounts.keyring import KeyRing
from hub.certificates.issuing import Issuing
from hub.config import HubConfig
from hub.custody.signing import Signer
from hub.footage.store import FootageFolder
from hub.gateways.callers import Callers
from hub.grids.live import LiveGrids
from hub.ingest.replaying import Replayer
from hub.media.store import MediaStore
from hub.readiness import Readiness
from hub.storage.database import Database
from hub.stream.stream import Stream
from hub.telemetry.contract import TelemetryStore
from hub.uploads.uploading import Uploads
from protocol.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The opened parts of one hub process."""

    config: HubConfig
    clock: Clock
    database: Database
    telemetry: TelemetryStore
    stream: Stream
    keys: KeyRing
    callers: Callers
    grids: LiveGrids
    readiness: Readiness
    media: MediaStore
    replayer: Replayer
    custody: Signer
    footage: FootageFolder
    uploads: Uploads
    broker_address: str
    """Where gateways connect, as they are told at their registration: mqtt://host:port."""

    issuing: Issuing | None
    """What boxes are enrolled with; None where TLS is off."""

    wake_commands: Callable[[], None]
    """Called after a command was committed, so that it is sent at once."""


def parts_of(connection: HTTPConnection) -> Parts:
    """Return the parts that the application was created with."""
    parts: Parts = connection.app.state.parts
    return parts


PartsHere = Annotated[Parts, Depends(parts_of)]
