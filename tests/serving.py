"""The hub's HTTP side for tests: real parts on both databases, no broker, and clients with keys.

    async def test_…(api: Api) -> None:
        answer = await api.get("/api/v1/api-keys")             # with every right
        mere = await api.with_scopes(Scope.TELEMETRY_READ)      # with these only

`parts` are what the application was created with. `served` runs them behind a real socket.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from hub.accounts.issuing import issue_key
from hub.accounts.keyring import KeyRing
from hub.accounts.scopes import Scope
from hub.api.patience import PatientProtocol
from hub.app import create_app
from hub.certificates.authority import Authority
from hub.certificates.issuing import Issuing
from hub.config import HubConfig
from hub.custody.signing import open_signer
from hub.device_models.live import LiveModels
from hub.footage.store import FootageFolder
from hub.gateways.callers import Callers
from hub.grids.live import LiveGrids
from hub.ingest.recording import Recorder
from hub.ingest.replaying import Replayer
from hub.media.store import MediaFolder
from hub.parts import Parts
from hub.readiness import Readiness
from hub.storage.database import Database
from hub.stream.stream import Stream
from hub.telemetry.duckdb_store import DuckDBStore
from hub.uploads.folder import UploadFolder
from hub.uploads.uploading import Uploads
from protocol.clock import Clock, SystemClock


class Api(httpx.AsyncClient):
    """A client of the application with the rights of one key, without a socket."""

    def __init__(self, app: FastAPI, key: str | None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url="http://hub", headers=headers)
        self.app = app
        self.key = key

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    async def with_scopes(self, *scopes: Scope) -> "Api":
        """Return a client whose key has only these scopes."""
        return Api(self.app, await new_key(self.parts, *scopes))

    def without_key(self) -> "Api":
        """Return a client that sends no key."""
        return Api(self.app, None)


@asynccontextmanager
async def opened_parts(database: Database, folder: Path, clock: Clock | None = None) -> AsyncIterator[Parts]:
    """Open real parts over a database that has its tables."""
    clock = clock or SystemClock()
    telemetry = await DuckDBStore.opened(folder / "telemetry.duckdb")
    stream = Stream(database, clock)
    media = MediaFolder(folder / "media")
    footage = FootageFolder(folder / "footage")
    uploads = UploadFolder(folder / "uploads", reserve_bytes=0)
    try:
        yield Parts(
            config=HubConfig(data=folder),
            clock=clock,
            database=database,
            telemetry=telemetry,
            media=media,
            stream=stream,
            keys=KeyRing(database, clock),
            callers=Callers(database, clock),
            grids=LiveGrids(database, clock),
            readiness=Readiness(),
            replayer=Replayer(
                telemetry,
                media,
                lambda: Recorder(database, stream, clock, ()),
                clock,
                LiveModels(database, clock).conform,
            ),
            custody=open_signer(folder),
            footage=footage,
            uploads=Uploads(database=database, clock=clock, folder=uploads, store=footage),
            broker_address="mqtt://127.0.0.1:1883",
            issuing=Issuing(
                Authority.opened(folder / "authority", clock),
                "https://hub.example:8443",
                "mqtts://hub.example:8883",
                timedelta(days=90),
            ),
            wake_commands=lambda: None,
        )
    finally:
        await telemetry.close()


async def new_key(parts: Parts, *scopes: Scope) -> str:
    """Make a key and return its secret."""
    async with parts.database.write() as session:
        return issue_key(session, parts.clock, "test", scopes).secret


@pytest.fixture
async def parts(database: Database, tmp_path: Path) -> AsyncIterator[Parts]:
    async with opened_parts(database, tmp_path) as opened:
        yield opened


@pytest.fixture
async def api(parts: Parts) -> AsyncIterator[Api]:
    async with Api(create_app(parts), await new_key(parts, Scope.ADMIN)) as client:
        yield client


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve the application on a free loopback port with its stream running; yield its URL."""
    parts: Parts = app.state.parts
    server = _Server(
        uvicorn.Config(
            app, http=PatientProtocol, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.TaskGroup() as group:
            carrying = group.create_task(parts.stream.run())
            serving = group.create_task(server.serve([listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                parts.stream.close()
                server.should_exit = True
                await serving
                carrying.cancel()


class _Server(uvicorn.Server):
    """Leaves the signal handlers of the test run alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
