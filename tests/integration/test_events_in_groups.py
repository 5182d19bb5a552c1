"""A group of events ends in the same alerts, archives and notifications as its events one by one, for less work."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import event as hooks
from sqlalchemy import select
from sqlalchemy.engine import Engine

from hub.alerts.model import AlertAct, AlertAnomaly, AlertRow
from hub.anomalies.finding import identity
from hub.anomalies.model import Anomaly
from hub.notifications.model import Channel, Notification
from hub.storage.database import Database
from hub.stream.model import StreamEventRow
from hub.subjects.model import ArchiveEntry
from protocol.messages import SEVERITIES, Event, EventState, Severity
from tests.simulators.supervised import DAWN, GATEWAY, Site, supervised

ALONE, TOGETHER = "alone", "together"
SECOND = timedelta(seconds=1)
KINDS = ("camera.dark", "camera.covered", "camera.moved")


def happened(second: int, chance: random.Random, *, state: EventState = EventState.INSTANT) -> Event:
    """Return an event of a camera without its line's name: the n-th second is the n-th happening."""
    return Event(
        device=f"{chance.randrange(3)}",
        at=DAWN + second * SECOND,
        type=chance.choice(KINDS),
        severity=chance.choice(SEVERITIES),
        id=UUID(int=second + 1),
        state=state,
        score=chance.random(),
        data={"second": second},
        images=(f"{second % 16:x}" * 64,),
    )


def ended(began: Event, second: int) -> Event:
    at = DAWN + second * SECOND
    return msgspec.structs.replace(began, at=at, state=EventState.ENDED, severity=Severity.INFO, images=())


def portions(events: Sequence[Event], chance: random.Random) -> Iterator[Sequence[Event]]:
    """Cut events into groups of 2 to 40."""
    start = 0
    while start < len(events):
        size = chance.randint(2, 40)
        yield events[start : start + size]
        start += size


async def prepared(site: Site) -> None:
    async with site.parts.database.write() as session:
        for name in ("minor", "critical"):
            session.add(
                Channel(id=uuid4(), name=name, kind="console", options={}, minimum_severity=name, created_at=DAWN)
            )
    for line in (ALONE, TOGETHER):
        for number in range(3):
            await site.install(f"{line}-{number}", at=None)
    for number in range(0, 400, 90):
        await site.duty(DAWN + number * SECOND, DAWN + (number + 45) * SECOND)


async def take(site: Site, line: str, events: Sequence[Event]) -> None:
    """Take events as those of the devices of one line."""
    renamed = [msgspec.structs.replace(each, device=f"{line}-{each.device}") for each in events]
    await site.take(renamed, received_at=DAWN + timedelta(hours=1))


async def close_alerts(site: Site) -> None:
    async with site.parts.database.write() as session:
        for alert in await session.scalars(select(AlertRow)):
            alert.state, alert.closed_at = "closed", site.clock.now()


async def outcome(site: Site, line: str) -> dict[str, Any]:
    """Return everything that the events of a line caused, without what is new for each: ids and the hub's own times."""
    async with site.parts.database.read() as session:
        anomalies = {row.id: row for row in await session.scalars(select(Anomaly)) if row.device.startswith(line)}
        rows = await session.scalars(select(AlertRow).order_by(AlertRow.raised_at, AlertRow.began_at, AlertRow.key))
        alerts = {row.id: row for row in rows if row.device.startswith(line)}
        counted = list(await session.scalars(select(AlertAnomaly)))
        acts = list(await session.scalars(select(AlertAct).order_by(AlertAct.number)))
        entries = list(await session.scalars(select(ArchiveEntry).order_by(ArchiveEntry.number)))
        notifications = list(await session.scalars(select(Notification)))
        channels = {row.id: row.name for row in await session.scalars(select(Channel))}
    numbers = Counter(each.alert_id for each in counted)
    assert {alert_id: alert.times_seen for alert_id, alert in alerts.items()} == {
        each: numbers[each] for each in alerts
    }
    names = {alert_id: f"{alert.key}@{alert.began_at}".replace(line, "") for alert_id, alert in alerts.items()}

    def archived(entry: ArchiveEntry) -> tuple[Any, ...] | None:
        if entry.data.get("device", "").startswith(line):
            return (entry.kind, entry.summary, entry.at, anomalies[UUID(entry.ref)].began_at)
        alert_id = UUID(entry.data.get("alert", str(UUID(int=0))))
        if alert_id not in alerts:
            return None
        data = {name: value for name, value in entry.data.items() if name != "alert"}
        return (entry.kind, entry.summary, names[alert_id], entry.ref.partition("@")[2], tuple(data.items()))

    return {
        "anomalies": sorted(facts(row, line) for row in anomalies.values()),
        "alerts": sorted(facts(row, line) for row in alerts.values()),
        "counted": sorted(
            (names[each.alert_id], str(anomalies[each.anomaly_id].began_at), anomalies[each.anomaly_id].type)
            for each in counted
            if each.alert_id in alerts
        ),
        "acts": Counter((names[act.alert_id], act.act, act.reason) for act in acts if act.alert_id in alerts),
        "archive": Counter(found for entry in entries if (found := archived(entry)) is not None),
        "told": sorted(
            (names[row.alert_id], channels[row.channel_id], row.occasion, row.payload["data"]["text"]["en"])
            for row in notifications
            if row.alert_id in alerts
        ),
    }


def facts(row: Anomaly | AlertRow, line: str) -> str:
    own = {"id", "detected_at", "raised_at", "closed_at"}
    columns = [column.key for column in row.__table__.columns if column.key not in own]
    return str({name: getattr(row, name) for name in columns}).replace(line, "")


def without_line(found: dict[str, Any], line: str) -> dict[str, Any]:
    found["told"] = [tuple(part.replace(f"{line}-", "-") for part in each) for each in found["told"]]
    return found


async def both_ways(site: Site, events: Sequence[Event], chance: random.Random) -> None:
    for event in events:
        await take(site, ALONE, [event])
    for some in portions(events, chance):
        await take(site, TOGETHER, some)


async def compared(site: Site) -> dict[str, Any]:
    alone = without_line(await outcome(site, ALONE), ALONE)
    assert without_line(await outcome(site, TOGETHER), TOGETHER) == alone
    return alone


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_group_ends_like_its_events_one_by_one(database: Database, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with supervised(database, tmp_path) as site:
        await prepared(site)
        first = [happened(second, chance) for second in range(120)]
        await both_ways(site, first, chance)
        found = await compared(site)
        assert len(found["alerts"]) == 9
        assert {"raise", "worsen"} <= {act for _, act, _ in found["acts"]}
        kept = Counter(kind for kind, *_ in found["archive"].elements())
        acts = Counter(f"alert.{act}" for _, act, _ in found["acts"].elements())
        assert kept == acts | {"anomaly.found": 120}
        await close_alerts(site)
        lasting = [happened(second, chance, state=EventState.BEGAN) for second in range(130, 190)]
        await both_ways(site, lasting, chance)
        ends = [ended(began, 200 + number) for number, began in enumerate(lasting)]
        await both_ways(site, [*first[:30], *ends], chance)
        found = await compared(site)
        assert len(found["alerts"]) == 18
        assert {occasion for _, _, occasion, _ in found["told"]} == {"raised", "worse", "ended"}
        ids = {identity(each.type, GATEWAY, f"{TOGETHER}-{each.device}", each.id) for each in [*first, *lasting]}
        assert ids <= {row.id for row in await site.anomalies()}


async def test_messages_of_one_happening_within_a_group_come_to_the_same(database: Database, tmp_path: Path) -> None:
    """The group sees what it came to at once, so that it tells less on the way; what stands in the end is the same."""
    chance = random.Random(3)
    async with supervised(database, tmp_path) as site:
        await prepared(site)
        began = [happened(second, chance, state=EventState.BEGAN) for second in range(60)]
        ends = [ended(each, 1 + second + chance.randrange(9)) for second, each in enumerate(began)]
        events = sorted([*began, *ends], key=lambda each: each.at)
        await both_ways(site, events, chance)
        alone, together = [await outcome(site, line) for line in (ALONE, TOGETHER)]
        assert together["anomalies"] == alone["anomalies"]
        assert together["counted"] == alone["counted"]
        seen = {
            line: sorted(
                (row.key.replace(line, ""), row.times_seen, row.severity, row.last_seen_at, row.condition_ended_at)
                for row in await site.alerts()
                if row.device.startswith(line)
            )
            for line in (ALONE, TOGETHER)
        }
        assert seen[TOGETHER] == seen[ALONE]


async def test_a_repeated_group_changes_nothing(database: Database, tmp_path: Path) -> None:
    chance = random.Random(4)
    async with supervised(database, tmp_path) as site:
        await prepared(site)
        events = [happened(second, chance) for second in range(70)]
        await take(site, TOGETHER, events)
        before = await outcome(site, TOGETHER)
        await take(site, TOGETHER, [*events, *events[:20]])
        assert await outcome(site, TOGETHER) == before


@contextmanager
def statements() -> Iterator[list[str]]:
    """Count what goes to the database."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    hooks.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        hooks.remove(Engine, "before_cursor_execute", note)


async def test_a_group_of_more_events_takes_no_more_statements(database: Database, tmp_path: Path) -> None:
    chance = random.Random(5)
    async with supervised(database, tmp_path) as site:
        await prepared(site)
        await take(site, TOGETHER, [happened(second, chance) for second in range(30)])
        numbers = []
        for start, count in ((40, 50), (100, 250)):
            with statements() as said:
                await take(site, TOGETHER, [happened(second, chance) for second in range(start, start + count)])
            numbers.append(len(said))
        assert numbers[1] <= numbers[0]


async def test_an_alert_is_shown_once_for_a_group_as_it_is_in_the_end(database: Database, tmp_path: Path) -> None:
    chance = random.Random(6)
    event = happened(0, chance)
    events = [
        msgspec.structs.replace(event, id=UUID(int=number + 1), at=DAWN + number * SECOND, severity=Severity.MAJOR)
        for number in range(100)
    ]
    async with supervised(database, tmp_path) as site:
        await prepared(site)
        await take(site, TOGETHER, events)
        async with database.read() as session:
            shown = list(await session.scalars(select(StreamEventRow).order_by(StreamEventRow.id)))
        assert Counter(row.kind for row in shown) == {"anomaly": 100, "alert": 1}
        (alert,) = await site.alerts()
        assert (shown[-1].data["times_seen"], shown[-1].data["version"]) == (100, alert.version)
