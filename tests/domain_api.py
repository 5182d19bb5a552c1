"""The HTTP application of the hub on a real database, and the sample district posted through it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from diwang.demo import district
from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.config import HubConfig
from hub.parts import Parts
from hub.storage.database import Database
from protocol.clock import Clock
from tests.serving import Api, new_key, opened_parts


class Domain:
    """A client with every right. Each call checks the status and returns what is answered."""

    def __init__(self, http: Api, parts: Parts) -> None:
        self.http = http
        self.parts = parts

    async def get(self, path: str, *, expected: int = 200, **query: Any) -> Any:
        return _read(await self.http.get(path, params=query), expected)

    async def post(self, path: str, body: Any, *, expected: int = 201, headers: Mapping[str, str] | None = None) -> Any:
        return _read(await self.http.post(path, json=body, headers=headers), expected)

    async def patch(self, path: str, body: Any, version: int, *, expected: int = 200) -> Any:
        return _read(await self.http.patch(path, json=body, headers={"If-Match": f'"{version}"'}), expected)

    async def delete(self, path: str, *, expected: int = 204, **query: Any) -> Any:
        return _read(await self.http.delete(path, params=query), expected)

    async def every(self, path: str, **query: Any) -> list[Any]:
        """Return all items of a list, page by page."""
        page = await self.get(path, **query)
        items = list(page["items"])
        while page["next"]:
            page = await self.get(path, **query | {"cursor": page["next"]})
            items += page["items"]
        return items


@asynccontextmanager
async def serving(
    database: Database, clock: Clock, folder: Path, settings: Mapping[str, Any] | None = None
) -> AsyncIterator[Domain]:
    """Serve the application on a database; the settings are a tree as in the hub's file."""
    config = HubConfig.model_validate({"data": folder} | dict(settings or {}))
    async with opened_parts(database, folder, clock) as opened:
        parts = replace(opened, config=config)
        async with Api(create_app(parts), await new_key(parts, Scope.ADMIN)) as http:
            http.base_url = httpx.URL("http://hub/api/v1")
            yield Domain(http, parts)


async def post_district(api: Domain) -> dict[str, str]:
    """Post the sample district, as the demonstration does; return the ids of officers and subjects by name."""
    for unit in district.org_units():
        await api.post("/org-units", unit)
    await api.post("/grids/import", district.grids(), expected=200)
    ids = {each["name"]: (await api.post("/officers", each))["id"] for each in district.officers()}
    for duty in district.roster(ids):
        await api.post("/roster", duty)
    return ids | {each["name"]: (await api.post("/subjects", each))["id"] for each in district.subjects()}


def _read(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    return response.json() if response.content else None
