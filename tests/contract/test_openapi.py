"""The API keeps its own description: what it answers is declared, and what it declares it accepts.

Schemathesis sends each operation requests that fit its schema and requests that do not, with and without a key. What
fits the schema may still break a rule of the domain, so a refusal of it is no failure. The stream never ends and is
left out.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import unsupported_method
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.config import HubConfig
from hub.parts import Parts
from hub.storage.database import open_database
from tests.databases import create_tables
from tests.serving import new_key, opened_parts, served

EXAMPLES = 6
START_PATIENCE_S = 30

OVERLAID = {"/login", "/setup", "/api/v1/subjects/import", "/api/v1/recalls/import"}
"""Paths with another method that the description does not tell of there: a page, and `{subject_id}`."""

TEXT = {"text/csv", "application/x-ndjson", "application/offset+octet-stream"}
"""Bodies that are lines of text, or bytes: whatever is sent is one, the import says which lines it does not take."""


@schemathesis.serializer("application/x-ndjson")
def json_lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Write an example of a body of JSON lines, which Schemathesis does not know."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.serializer("application/offset+octet-stream")
def piece(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Write an example of a piece of a file."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class Serving(threading.Thread):
    """The application behind a socket, on a loop of its own, so that a synchronous client can ask it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="api", daemon=True)
        self.url = self.key = ""
        self.ready = threading.Event()
        self._folder = folder
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        database = open_database(f"sqlite:///{self._folder / 'hub.db'}")
        await create_tables(database)
        async with opened_parts(database, self._folder) as parts, served(create_app(parts)) as self.url:
            self.key = await new_key(parts, Scope.ADMIN)
            self.ready.set()
            await self._over.wait()
        await database.close()

    def stop(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self.join()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    thread = Serving(tmp_path_factory.mktemp("hub"))
    thread.start()
    assert thread.ready.wait(START_PATIENCE_S)
    yield thread
    thread.stop()


# Only the settings matter for the description, so that it is there when tests are collected.
described = schemathesis.openapi.from_dict(
    create_app(cast("Parts", SimpleNamespace(config=HubConfig(data=Path("unused"))))).openapi()
).exclude(path="/api/v1/stream")


@described.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_declared(case: Case[Any], serving: Serving) -> None:
    excluded: list[Any] = [positive_data_acceptance]
    if case.path in OVERLAID:
        excluded.append(unsupported_method)
    if case.media_type in TEXT:
        excluded.append(negative_data_rejection)
    key = {"Authorization": f"Bearer {serving.key}"}
    response = case.call(base_url=serving.url, headers=key)
    if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        excluded.append(negative_data_rejection)  # it was refused, with a status that this check does not know
    case.validate_response(response, headers=key, excluded_checks=excluded)


def test_the_description_is_openapi_31_with_stable_names_and_declared_refusals(serving: Serving) -> None:
    document = httpx.get(f"{serving.url}/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    operations = [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]
    names = [operation["operationId"] for _, operation in operations]
    assert len(names) == len(set(names))
    for path, operation in operations:
        if path.startswith("/api/v1/"):
            assert {"400", "401", "403", "405", "422", "503"} <= operation["responses"].keys(), path
            assert operation["security"] == [{"ApiKey": []}, {"Session": []}], path
        assert operation.get("description"), f"{operation['operationId']} says nothing of itself"
