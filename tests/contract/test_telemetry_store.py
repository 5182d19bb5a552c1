"""What every telemetry store must do, whichever it is."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from uuid_utils.compat import uuid4, uuid7

from hub.telemetry.contract import (
    Arrival,
    Bucket,
    Committed,
    LastValue,
    Retention,
    Sample,
    Scalar,
    SeriesClass,
    SeriesKey,
    TelemetryStore,
)
from hub.telemetry.duckdb_store import DuckDBStore
from hub.telemetry.influx_server import InfluxAddress, InfluxServer
from hub.telemetry.influx_store import InfluxStore
from protocol.messages import Batch, Event, EventState, Position, Reading, Receipt, Record, Severity
from tests.simulators.influxd import TOKEN, Influxd, V2Front

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
EPOCH_ID = uuid4()
EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
FRIDGE = SeriesKey("g1", "fridge-1", "temperature_c")


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def reading(seconds: float, device: str = "fridge-1", **values: Scalar) -> Reading:
    return Reading(device=device, at=after(seconds), values=values)


def id_at(seconds: float) -> UUID:
    """A fresh id as a gateway makes it at this time."""
    milliseconds = int(after(seconds).timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (uuid7().int & ((1 << 80) - 1)))


def arrival(
    *records: Record,
    gateway: str = "g1",
    batch: UUID | None = None,
    received: float = 0.5,
    extras: Mapping[int, dict[str, Any]] | None = None,
) -> Arrival:
    made = Batch(id=batch or id_at(received), gateway=gateway, epoch=EPOCH_ID, seq=1, sent_at=T0, records=records)
    return Arrival(made, after(received), extras or {})


async def open_duckdb(folder: Path, _: pytest.FixtureRequest) -> TelemetryStore:
    return await DuckDBStore.opened(folder / "telemetry.duckdb")


async def open_influxd(_: Path, request: pytest.FixtureRequest) -> TelemetryStore:
    """A fresh database of a real InfluxDB 1.6.7 behind the write endpoint of 2.x."""
    server, front = request.getfixturevalue("influxd")
    database = f"test_{uuid4().hex}"
    server.query(f'CREATE DATABASE "{database}"')
    return await InfluxStore.opened(InfluxAddress(front.url, database, "an-org", TOKEN))


async def open_users_own(_: Path, __: pytest.FixtureRequest) -> TelemetryStore:
    """The user's own InfluxDB 2.x. The bucket is emptied before each test, so it must have "test" in its name."""
    variables = {name: os.environ[f"INFLUXDB_V2_{name.upper()}"] for name in ("url", "bucket", "org", "token")}
    assert "test" in variables["bucket"]
    server = InfluxServer(InfluxAddress(**variables))
    server.query(*(f'DROP MEASUREMENT "{name}"' for name in ("reading", "position", "series", "batch")))
    server.close()
    return await InfluxStore.opened(InfluxAddress(**variables))


OPENERS: dict[str, Callable[[Path, pytest.FixtureRequest], Awaitable[TelemetryStore]]] = {
    "duckdb": open_duckdb,
    "influxd-1.6.7": open_influxd,
}
if "INFLUXDB_V2_URL" in os.environ:
    OPENERS["users-own"] = open_users_own


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Influxd, V2Front]]:
    server = Influxd(tmp_path_factory.mktemp("influxd") / "data")
    with V2Front(server) as front:
        yield server, front
    server.stop()


@pytest.fixture(params=list(OPENERS))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TelemetryStore]:
    opened = await OPENERS[request.param](tmp_path, request)
    yield opened
    await opened.close()


async def test_values_come_back_as_they_were_sent(store: TelemetryStore) -> None:
    await store.commit(
        [
            arrival(
                reading(2, temperature_c=4.5), reading(1, temperature_c=-0.1), reading(1, door_open=True, mode="自动")
            )
        ]
    )
    assert await store.samples(FRIDGE, *EVER, 10) == [Sample(after(1), -0.1), Sample(after(2), 4.5)]
    assert await store.samples(FRIDGE._replace(name="door_open"), *EVER, 10) == [Sample(after(1), value=True)]
    assert await store.samples(FRIDGE._replace(name="mode"), *EVER, 10) == [Sample(after(1), "自动")]
    (sample,) = await store.samples(FRIDGE._replace(name="door_open"), *EVER, 10)
    assert sample.value is True
    assert sample.at.tzinfo is UTC


async def test_a_range_is_half_open_and_limited(store: TelemetryStore) -> None:
    await store.commit([arrival(*(reading(second, temperature_c=second) for second in range(7)))])
    found = await store.samples(FRIDGE, after(1), after(5), 3)
    assert [sample.value for sample in found] == [1, 2, 3]
    found = await store.samples(FRIDGE, after(1), after(5), 10)
    assert [sample.value for sample in found] == [1, 2, 3, 4]
    assert await store.samples(FRIDGE._replace(device="fridge-2"), *EVER, 10) == []
    aeons = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
    assert len(await store.samples(FRIDGE, *aeons, 10)) == 7
    assert [bucket.count for bucket in await store.buckets(FRIDGE, *aeons, timedelta(hours=1), 10)] == [7]


async def test_microseconds_and_other_offsets_are_kept_exactly(store: TelemetryStore) -> None:
    beijing = timezone(timedelta(hours=8))
    instants = [T0 + timedelta(microseconds=micros) for micros in (1, 999_999)]
    instants += [datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), datetime(2199, 12, 31, 23, 59, 59, 999_999, UTC)]
    records = [Reading(device="fridge-1", at=at.astimezone(beijing), values={"temperature_c": 1.0}) for at in instants]
    await store.commit([arrival(*records)])
    assert {sample.at for sample in await store.samples(FRIDGE, *EVER, 10)} == set(instants)


async def test_a_batch_counts_once_however_often_it_is_offered(store: TelemetryStore) -> None:
    first = arrival(reading(1, temperature_c=1))
    other_gateway = arrival(reading(1, temperature_c=9), gateway="g2", batch=first.batch.id)
    assert (await store.commit([first])).duplicates == frozenset()
    changed = arrival(reading(1, temperature_c=7), reading(2, temperature_c=7), batch=first.batch.id)
    fresh = arrival(reading(3, temperature_c=3))
    assert (await store.commit([changed, fresh, other_gateway])).duplicates == {first.batch.id}
    assert await store.samples(FRIDGE, *EVER, 10) == [Sample(after(1), 1), Sample(after(3), 3)]
    assert await store.samples(FRIDGE._replace(gateway="g2"), *EVER, 10) == [Sample(after(1), 9)]


async def test_a_batch_twice_in_one_commit_counts_once(store: TelemetryStore) -> None:
    twice = arrival(reading(1, temperature_c=1))
    assert (await store.commit([twice, twice])).duplicates == {twice.batch.id}
    assert len(await store.samples(FRIDGE, *EVER, 10)) == 1


async def test_a_batch_of_any_kind_of_uuid_is_known_again(store: TelemetryStore) -> None:
    batches = [arrival(reading(number, temperature_c=1), batch=uuid4()) for number in range(5)]
    await store.commit(batches)
    assert (await store.commit(batches[1:4])).duplicates == {offered.batch.id for offered in batches[1:4]}


async def test_of_two_values_at_one_instant_the_later_stored_one_counts(store: TelemetryStore) -> None:
    await store.commit([arrival(reading(1, temperature_c=1), reading(1, temperature_c=2))])
    assert await store.samples(FRIDGE, *EVER, 10) == [Sample(after(1), 2)]
    await store.commit([arrival(reading(1, temperature_c=5), reading(2, temperature_c=6))])
    assert await store.samples(FRIDGE, *EVER, 10) == [Sample(after(1), 5), Sample(after(2), 6)]
    assert await store.buckets(FRIDGE, *EVER, timedelta(minutes=1), 10) == [Bucket(T0, 5, 5.5, 6, 2)]
    await store.commit([arrival(reading(2, temperature_c=8))])
    assert [last.value for last in await store.last()] == [8]


async def test_the_newest_value_is_by_the_time_of_the_device(store: TelemetryStore) -> None:
    await store.commit([arrival(reading(5, temperature_c=5), reading(3, temperature_c=3), reading(4, door_open=False))])
    await store.commit([arrival(reading(4, temperature_c=4), reading(2, device="scale", mode="tare"), received=9)])
    await store.commit([arrival(reading(1, temperature_c=1), gateway="g2")])
    assert sorted(await store.last()) == [
        LastValue("g1", "fridge-1", "door_open", after(4), value=False),
        LastValue("g1", "fridge-1", "temperature_c", after(5), 5),
        LastValue("g1", "scale", "mode", after(2), "tare"),
        LastValue("g2", "fridge-1", "temperature_c", after(1), 1),
    ]
    assert [last.gateway for last in await store.last(gateway="g2")] == ["g2"]
    assert {last.name for last in await store.last("g1", "fridge-1")} == {"door_open", "temperature_c"}
    assert await store.last(device="nothing") == []


async def test_the_first_value_decides_the_type_and_later_ones_fit_or_clash(store: TelemetryStore) -> None:
    await store.commit([arrival(reading(1, number=1.5, flag=True, text="on"))])
    mixed = arrival(
        reading(2, number=True, flag=0, text=1.0, other=3),
        reading(3, number="4.5", flag=2, text=False),
        reading(4, number=4, flag="true", text="off"),
    )
    for _ in range(2):
        committed = await store.commit([mixed])
        assert {(clash.batch, clash.index, clash.name) for clash in committed.clashes} == {
            (mixed.batch.id, 0, "text"),
            (mixed.batch.id, 1, "number"),
            (mixed.batch.id, 1, "flag"),
            (mixed.batch.id, 1, "text"),
            (mixed.batch.id, 2, "flag"),
        }
    assert all(clash.reason for clash in committed.clashes)
    values = {
        name: [sample.value for sample in await store.samples(FRIDGE._replace(name=name), *EVER, 10)]
        for name in ("number", "flag", "text", "other")
    }
    assert values == {"number": [1.5, 1, 4], "flag": [True, False], "text": ["on", "off"], "other": [3]}
    assert [type(value) for value in values["flag"]] == [bool, bool]


async def test_a_clash_within_the_batch_that_decides(store: TelemetryStore) -> None:
    both = arrival(reading(1, mode="auto"), reading(2, mode=1.0))
    for _ in range(2):
        assert [(clash.index, clash.name) for clash in (await store.commit([both])).clashes] == [(1, "mode")]
    assert await store.samples(FRIDGE._replace(name="mode"), *EVER, 10) == [Sample(after(1), "auto")]


async def test_a_time_that_no_store_can_hold_is_a_clash(store: TelemetryStore) -> None:
    odd = arrival(
        Reading(device="fridge-1", at=datetime(1, 1, 1, tzinfo=UTC), values={"temperature_c": 1.0}),
        reading(1, temperature_c=2),
        Position(device="van-7", at=datetime(9999, 12, 31, tzinfo=UTC), latitude=24.5, longitude=118),
    )
    for _ in range(2):
        committed = await store.commit([odd])
        assert [(clash.index, clash.name) for clash in committed.clashes] == [(0, "at"), (2, "at")]
    assert [last.value for last in await store.last()] == [2]


async def test_names_and_texts_may_hold_anything(store: TelemetryStore) -> None:
    awkward = [
        "a b",
        "a,b=c",
        "q\"uo'te",
        "back\\slash",
        "ends\\",
        "温度",
        "new\nline",
        "tab\t",
        "$a",
        "a[b]*",
        "\r",
        "nul\0",
        "\u2028",
    ]
    await store.commit([arrival(reading(1, **{name: name for name in awkward}))])
    for name in awkward:
        assert await store.samples(FRIDGE._replace(name=name), *EVER, 10) == [Sample(after(1), name)], name
    assert {last.name: last.value for last in await store.last()} == {name: name for name in awkward}
    await store.commit([arrival(reading(2, **{"empty text": ""}))])
    assert await store.samples(FRIDGE._replace(name="empty text"), *EVER, 10) == [Sample(after(2), "")]


async def test_numbers_are_kept_exactly(store: TelemetryStore) -> None:
    numbers = [0.1, 0.0, 1e308, 5e-324, 2.0**53 - 1, 1 / 3, -273.15]
    await store.commit([arrival(*(reading(place, temperature_c=number) for place, number in enumerate(numbers)))])
    assert [repr(sample.value) for sample in await store.samples(FRIDGE, *EVER, 10)] == [repr(n) for n in numbers]


async def test_steps_are_aligned_and_empty_ones_left_out(store: TelemetryStore) -> None:
    values = {-1: 1, 0: 2, 59: 4, 60: 10, 200: 7, 239.999_999: 9, 240: 100}
    await store.commit([arrival(*(reading(at, temperature_c=value) for at, value in values.items()))])
    minute = timedelta(minutes=1)
    assert await store.buckets(FRIDGE, after(-60), after(240), minute, 10) == [
        Bucket(after(-60), 1, 1, 1, 1),
        Bucket(after(0), 2, 3, 4, 2),
        Bucket(after(60), 10, 10, 10, 1),
        Bucket(after(180), 7, 8, 9, 2),
    ]
    assert await store.buckets(FRIDGE, after(30), after(240), minute, 2) == [
        Bucket(after(0), 4, 4, 4, 1),
        Bucket(after(60), 10, 10, 10, 1),
    ]
    await store.commit([arrival(reading(1, door_open=True, mode="x"))])
    assert await store.buckets(FRIDGE._replace(name="door_open"), *EVER, minute, 10) == []
    assert await store.buckets(FRIDGE._replace(name="mode"), *EVER, minute, 10) == []
    assert await store.buckets(FRIDGE._replace(name="unknown"), *EVER, minute, 10) == []


async def test_positions_come_back_whole(store: TelemetryStore) -> None:
    full = Position(
        device="van-7",
        at=after(1.25),
        latitude=24.570001,
        longitude=118.1,
        altitude_m=-3.5,
        speed_mps=0,
        course_deg=359.9,
        hdop=0.9,
        satellites=11,
        quality=2,
        sigma_m=1.5,
        cn0_mean_db=38.2,
        cn0_spread_db=4.1,
        flags=("date_rollover", "has, a comma"),
    )
    bare = Position(device="van-7", at=after(2), latitude=-90, longitude=-180)
    other = Position(device="van-7", at=after(1.5), latitude=1, longitude=2)
    await store.commit([arrival(bare, full, received=3), arrival(other, gateway="g2", received=4)])
    found = await store.positions("g1", "van-7", *EVER, 10)
    assert [(stored.gateway, stored.position, stored.received_at) for stored in found] == [
        ("g1", full, after(3)),
        ("g1", bare, after(3)),
    ]
    everywhere = await store.positions(None, "van-7", *EVER, 10)
    assert [stored.position for stored in everywhere] == [full, other, bare]
    assert [stored.gateway for stored in everywhere] == ["g1", "g2", "g1"]
    assert [stored.position for stored in await store.positions(None, "van-7", after(1.3), after(2), 10)] == [other]
    assert len(await store.positions(None, "van-7", *EVER, 2)) == 2
    assert await store.positions(None, "van-8", *EVER, 10) == []


async def test_a_position_is_replaced_whole(store: TelemetryStore) -> None:
    first = Position(device="van-7", at=after(1), latitude=1, longitude=1, altitude_m=5, flags=("x",))
    second = Position(device="van-7", at=after(1), latitude=2, longitude=2, speed_mps=3)
    await store.commit([arrival(first)])
    await store.commit([arrival(second)])
    assert [stored.position for stored in await store.positions("g1", "van-7", *EVER, 10)] == [second]


async def test_events_and_receipts_are_passed_over(store: TelemetryStore) -> None:
    event = Event(
        device="cam-1", at=T0, type="camera.covered", severity=Severity.MAJOR, id=uuid7(), state=EventState.BEGAN
    )
    receipt = Receipt(device="printer-1", at=T0, job="j1", result="printed")
    offered = [arrival(event, receipt), arrival()]
    assert await store.commit(offered) == Committed()
    assert (await store.commit(offered)).duplicates == {one.batch.id for one in offered}
    assert await store.commit([]) == Committed()
    assert await store.last() == []


async def test_unknown_fields_do_no_harm(store: TelemetryStore) -> None:
    extras: dict[int, dict[str, Any]] = {0: {"battery": {"mv": 3700}}, 2: {"note": 'a "quoted" \\ 注'}, 1: {"x": None}}
    event = Event(device="c", at=T0, type="t", severity=Severity.INFO, id=uuid7(), state=EventState.INSTANT)
    position = Position(device="van-7", at=T0, latitude=1, longitude=2)
    await store.commit([arrival(reading(1, temperature_c=1, door_open=True), event, position, extras=extras)])
    assert await store.samples(FRIDGE, *EVER, 10) == [Sample(after(1), 1)]
    assert [stored.position for stored in await store.positions("g1", "van-7", *EVER, 10)] == [position]


async def test_an_export_holds_every_value_once_in_order_of_time(store: TelemetryStore) -> None:
    days = [timedelta(days=day).total_seconds() for day in (0, 1.5, 400)]
    await store.commit([arrival(*(reading(at, temperature_c=at, door_open=True, mode="m") for at in days))])
    await store.commit([arrival(reading(0, temperature_c=77), received=9)])
    await store.commit([arrival(reading(0, temperature_c=1), gateway="g2")])
    batches = [batch async for batch in store.export(None, None, *EVER)]
    table = pa.Table.from_batches(batches)
    assert table.schema.names == ["gateway", "device", "name", "at", "number", "text", "received_at"]
    rows = table.to_pylist()
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert len(rows) == 10
    (newest,) = [row for row in rows if row["name"] == "temperature_c" and row["at"] == T0 and row["gateway"] == "g1"]
    assert (newest["number"], newest["text"], newest["received_at"]) == (77, None, after(9))
    assert {(row["number"], row["text"]) for row in rows if row["name"] == "mode"} == {(None, "m")}
    assert {(row["number"], row["text"]) for row in rows if row["name"] == "door_open"} == {(1, None)}
    of_one = [batch async for batch in store.export("g2", "fridge-1", *EVER)]
    assert sum(batch.num_rows for batch in of_one) == 1
    assert [batch async for batch in store.export("g3", None, *EVER)] == []
    inside = [batch async for batch in store.export("g1", None, after(0), after(days[1]))]
    assert sum(batch.num_rows for batch in inside) == 3


async def test_retention_deletes_by_class_and_remembers_types(store: TelemetryStore) -> None:
    retention = Retention(
        readings=(
            SeriesClass("fridge-*", "temperature_?", timedelta(days=400)),
            SeriesClass("fridge-*", "*", timedelta(days=1)),
        ),
        positions=timedelta(days=2),
        batches=timedelta(days=3),
    )
    old = arrival(
        reading(0, temperature_c=1, door_open=True),
        reading(0, device="scale", mode="kept for ever"),
        Position(device="van-7", at=T0, latitude=1, longitude=1),
    )
    await store.commit([old])
    now = T0 + timedelta(days=2, seconds=1)
    seconds = (now - T0).total_seconds()
    recent = arrival(
        reading(seconds - 10, temperature_c=2, lid=True),
        Position(device="van-7", at=after(seconds - 10), latitude=2, longitude=2),
        received=seconds,
    )
    await store.commit([recent])
    assert await store.retain(retention, now) == 2
    assert {last.name for last in await store.last()} == {"temperature_c", "mode", "lid"}
    assert len(await store.samples(FRIDGE, *EVER, 10)) == 2
    assert await store.samples(FRIDGE._replace(name="door_open"), *EVER, 10) == []
    assert [stored.position.latitude for stored in await store.positions(None, "van-7", *EVER, 10)] == [2]
    assert (await store.commit([old])).duplicates == {old.batch.id}
    assert await store.retain(retention, now + timedelta(days=1)) == 1
    assert (await store.commit([recent])).duplicates == {recent.batch.id}
    assert (await store.commit([old])).duplicates == frozenset()
    assert [clash.name for clash in (await store.commit([arrival(reading(0, door_open="text"))])).clashes] == [
        "door_open"
    ]


async def test_reading_and_writing_at_once(store: TelemetryStore) -> None:
    async def write(gateway: str) -> None:
        for number in range(15):
            await store.commit([arrival(reading(number, temperature_c=number), gateway=gateway)])

    async def ask() -> None:
        for _ in range(15):
            await store.last()
            await store.samples(FRIDGE, *EVER, 10)
            await store.buckets(FRIDGE, *EVER, timedelta(minutes=1), 5)

    await asyncio.gather(*(write(f"g{number}") for number in range(3)), ask(), ask())
    for number in range(3):
        assert len(await store.samples(FRIDGE._replace(gateway=f"g{number}"), *EVER, 99)) == 15


async def test_it_answers_and_a_question_changes_nothing(store: TelemetryStore) -> None:
    await store.commit([arrival(reading(1, temperature_c=4.5))])
    await store.ping()
    assert await store.samples(FRIDGE, *EVER, 10) == [Sample(after(1), 4.5)]
