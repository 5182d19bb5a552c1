"""Device events as anomalies: the messages of one happening make one, in whatever order."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations
from uuid import UUID

from hub.anomalies.camera_events import DeviceEvents, merged
from hub.anomalies.finding import Finding, identity, microseconds
from hub.anomalies.settings import AnomaliesSettings
from protocol.messages import Event, EventState, Severity, Span

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
RULE = DeviceEvents(AnomaliesSettings())


def event(state: EventState, seconds: int, severity: Severity = Severity.MAJOR, kind: str = "camera.covered") -> Event:
    at = START + timedelta(seconds=seconds)
    return Event(
        device="cam-1",
        at=at,
        type=kind,
        severity=severity,
        id=UUID(int=7),
        state=state,
        score=0.93,
        data={"seconds": seconds},
        clip=Span(since=at, until=at),
    )


def judged(message: Event) -> Finding:
    finding = RULE.judge(message)
    assert finding is not None
    return finding


def test_a_covered_camera_begins_and_ends() -> None:
    began = judged(event(EventState.BEGAN, 0))
    assert (began.type, began.severity, began.ended_us) == ("camera.covered", Severity.MAJOR, None)
    assert began.data["score"] == 0.93
    whole = merged(began, judged(event(EventState.ENDED, 60)))
    assert (whole.began_us, whole.ended_us) == (microseconds(START), microseconds(START) + 60_000_000)


def test_messages_of_one_happening_come_in_any_order() -> None:
    messages = [
        event(EventState.BEGAN, 0),
        event(EventState.ONGOING, 30, Severity.CRITICAL),
        event(EventState.ENDED, 60, Severity.INFO),
    ]
    results = {
        (whole.began_us, whole.ended_us, whole.severity, whole.summary)
        for order in permutations(judged(each) for each in messages)
        for whole in [reduce(merged, order)]
    }
    assert len(results) == 1
    assert results.pop()[2] is Severity.CRITICAL


def test_an_instant_is_over_when_it_begins() -> None:
    instant = judged(event(EventState.INSTANT, 5))
    assert instant.began_us == instant.ended_us


def test_other_events_are_not_anomalies() -> None:
    assert RULE.judge(event(EventState.BEGAN, 0, kind="printer.paper_low")) is None


def test_identity_follows_from_rule_device_and_beginning() -> None:
    one = identity("camera.covered", "g1", "cam-1", UUID(int=7))
    assert one == identity("camera.covered", "g1", "cam-1", UUID(int=7))
    others = {
        identity("camera.dark", "g1", "cam-1", UUID(int=7)),
        identity("camera.covered", "g2", "cam-1", UUID(int=7)),
        identity("camera.covered", "g1", "cam-2", UUID(int=7)),
        identity("camera.covered", "g1", "cam-1", UUID(int=8)),
    }
    assert len(others | {one}) == 5
