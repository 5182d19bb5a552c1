"""The HTTP side of telemetry, on a real store: shapes, bounds, files."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pyarrow.parquet
import pytest
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api import problems
from hub.api.access import identified
from hub.parts import parts_of
from hub.telemetry import endpoints
from hub.telemetry.contract import Arrival, TelemetryStore
from hub.telemetry.duckdb_store import DuckDBStore
from protocol.messages import Batch, Position, Reading, Record

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
DAY = {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"}
FRIDGE = {"gateway": "g1", "device": "fridge-1", "name": "temperature_c"}


@dataclass
class OnlyTelemetry:
    telemetry: TelemetryStore


def arrival(*records: Record, gateway: str = "g1") -> Arrival:
    batch = Batch(id=uuid7(), gateway=gateway, epoch=UUID(int=1), seq=1, sent_at=T0, records=records)
    return Arrival(batch, T0 + timedelta(seconds=30))


def reading(seconds: float, **values: float | bool | str) -> Reading:
    return Reading(device="fridge-1", at=T0 + timedelta(seconds=seconds), values=values)


@pytest.fixture
def scopes() -> set[Scope]:
    return {Scope.TELEMETRY_READ}


@pytest.fixture
async def client(tmp_path: Path, scopes: set[Scope]) -> AsyncIterator[httpx.AsyncClient]:
    store = await DuckDBStore.opened(tmp_path / "telemetry.duckdb")
    await store.commit(
        [
            arrival(
                reading(0, temperature_c=4.5, door_open=True, mode='say "hi", 你好'),
                reading(60.25, temperature_c=5),
                reading(70, temperature_c=7),
                Position(device="van-7", at=T0, latitude=24.5, longitude=118.25, altitude_m=3, speed_mps=0),
                Position(device="van-7", at=T0 + timedelta(seconds=1), latitude=24.6, longitude=118.5),
            ),
            arrival(reading(5, temperature_c=1), gateway="g2"),
        ]
    )
    app = FastAPI()
    problems.install(app)
    app.include_router(endpoints.router)
    app.dependency_overrides[parts_of] = lambda: OnlyTelemetry(store)
    app.dependency_overrides[identified] = lambda: Caller("k1", "test", frozenset(scopes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as client:
        yield client
    await store.close()


async def answer(client: httpx.AsyncClient, path: str, **query: str | float) -> Any:
    got = await client.get(path, params=query)
    assert got.status_code == 200, got.text
    return got.json()


async def test_last_values_have_their_fixed_shape(client: httpx.AsyncClient) -> None:
    got = await answer(client, "/telemetry/last", gateway="g1", device="fridge-1")
    assert got == {
        "items": [
            {"gateway": "g1", "device": "fridge-1", "name": "door_open", "at": "2026-11-24T08:00:00Z", "value": True},
            {
                "gateway": "g1",
                "device": "fridge-1",
                "name": "mode",
                "at": "2026-11-24T08:00:00Z",
                "value": 'say "hi", 你好',
            },
            {
                "gateway": "g1",
                "device": "fridge-1",
                "name": "temperature_c",
                "at": "2026-11-24T08:01:10Z",
                "value": 7.0,
            },
        ],
        "next": None,
    }


async def test_last_values_come_in_pages(client: httpx.AsyncClient) -> None:
    seen, query = [], {"limit": 3}
    for _ in range(2):
        page = await answer(client, "/telemetry/last", **query)
        seen += [(item["gateway"], item["name"]) for item in page["items"]]
        query = {"limit": 3, "cursor": page["next"]}
    assert seen == [("g1", "door_open"), ("g1", "mode"), ("g1", "temperature_c"), ("g2", "temperature_c")]
    assert page["next"] is None
    bad = await client.get("/telemetry/last", params={"cursor": "é"})
    assert (bad.status_code, bad.json()["rule"]) == (400, "paging.bad_cursor")


async def test_a_range_is_points(client: httpx.AsyncClient) -> None:
    got = await answer(client, "/telemetry", **FRIDGE, **DAY)
    assert got == {
        "points": [["2026-11-24T08:00:00Z", 4.5], ["2026-11-24T08:01:00.250000Z", 5.0], ["2026-11-24T08:01:10Z", 7.0]]
    }
    got = await answer(client, "/telemetry", **FRIDGE, **DAY, limit=1)
    assert len(got["points"]) == 1
    elsewhere = DAY | {"from": "2026-11-24T16:01:00+08:00"}
    assert len((await answer(client, "/telemetry", **FRIDGE, **elsewhere))["points"]) == 2
    assert await answer(client, "/telemetry", **(FRIDGE | {"name": "unknown"}), **DAY) == {"points": []}


async def test_a_step_is_minimum_mean_maximum_and_count(client: httpx.AsyncClient) -> None:
    got = await answer(client, "/telemetry", **FRIDGE, **DAY, step=60)
    assert got == {"points": [["2026-11-24T08:00:00Z", 4.5, 4.5, 4.5, 1], ["2026-11-24T08:01:00Z", 5.0, 6.0, 7.0, 2]]}


async def test_positions_are_geojson(client: httpx.AsyncClient) -> None:
    got = await client.get("/positions", params={"device": "van-7"} | DAY)
    assert got.headers["content-type"] == "application/geo+json"
    first, second = got.json()["features"]
    assert got.json()["type"] == "FeatureCollection"
    assert first == {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [118.25, 24.5, 3.0]},
        "properties": {
            "gateway": "g1",
            "device": "van-7",
            "at": "2026-11-24T08:00:00Z",
            "received_at": "2026-11-24T08:00:30Z",
            "altitude_m": 3.0,
            "speed_mps": 0.0,
        },
    }
    assert second["geometry"]["coordinates"] == [118.5, 24.6]


async def test_an_export_is_a_csv_file(client: httpx.AsyncClient) -> None:
    got = await client.get("/telemetry/export", params={"gateway": "g1"} | DAY)
    assert got.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(got.text)))
    assert [row["name"] for row in rows] == ["temperature_c", "door_open", "mode", "temperature_c", "temperature_c"]
    assert rows[0] == {
        "gateway": "g1",
        "device": "fridge-1",
        "name": "temperature_c",
        "at": "2026-11-24T08:00:00.000000Z",
        "number": "4.5",
        "text": "",
        "received_at": "2026-11-24T08:00:30.000000Z",
    }
    assert (rows[1]["number"], rows[2]["text"]) == ("1", 'say "hi", 你好')


async def test_an_export_is_a_parquet_file(client: httpx.AsyncClient) -> None:
    got = await client.get("/telemetry/export", params={"format": "parquet"} | DAY)
    assert got.headers["content-disposition"] == 'attachment; filename="telemetry.parquet"'
    table = pyarrow.parquet.read_table(io.BytesIO(got.content))
    assert table.num_rows == 6
    assert table.column("at").to_pylist()[0] == T0
    nothing = await client.get("/telemetry/export", params={"format": "parquet", "gateway": "g9"} | DAY)
    assert pyarrow.parquet.read_table(io.BytesIO(nothing.content)).num_rows == 0


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-11-24T00:00:00"},
        {"from": "yesterday"},
        {"from": DAY["to"], "to": DAY["from"]},
        {"step": "0"},
        {"step": "nan"},
        {"step": "0.001"},
        {"limit": "0"},
        {"limit": "100001"},
        {"gateway": "no/level"},
        {"name": ""},
    ],
)
async def test_unbounded_and_naive_questions_are_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    got = await client.get("/telemetry", params=FRIDGE | DAY | query)
    assert got.status_code == 422
    assert got.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/telemetry/last", "/telemetry", "/telemetry/export", "/positions"])
async def test_every_route_wants_the_scope(client: httpx.AsyncClient, scopes: set[Scope], path: str) -> None:
    scopes.clear()
    got = await client.get(path, params=FRIDGE | DAY)
    assert got.status_code == 403
