"""A burst of events is committed in turns, others first, and what one gateway sent stays in its order."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ingest.deliveries import Delivery
from hub.ingest.turns import turns
from hub.telemetry.contract import Arrival
from protocol.messages import Batch, Event, EventState, Reading, Record, Severity

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
READING = Reading(device="d", at=NOW, values={"t": 1.0})
EVENT = Event(device="d", at=NOW, type="camera.dark", severity=Severity.MINOR, id=UUID(int=1), state=EventState.INSTANT)


def delivery(gateway: str, seq: int, events: int) -> Delivery:
    records: tuple[Record, ...] = (READING, *[EVENT] * events)
    batch = Batch(id=UUID(int=seq), gateway=gateway, epoch=UUID(int=1), seq=seq, sent_at=NOW, records=records)
    topic = f"diwang/v1/{gateway}/up/batch"
    return Delivery(gateway=gateway, topic=topic, payload=b"", received_at=NOW, arrival=Arrival(batch, NOW))


def bare(number: int) -> Delivery:
    return Delivery(gateway="bare", topic=f"{number}", payload=b"", received_at=NOW)


@pytest.mark.parametrize("events", [[], [0, 0], [3, 0, 4]])
def test_a_group_with_few_events_is_one_turn(events: list[int]) -> None:
    group = [delivery("g", number, count) for number, count in enumerate(events)]
    assert turns(group, most=7) == [group]


def test_who_brings_few_events_does_not_wait_for_who_brings_many() -> None:
    burst = [delivery("burst", number, 4) for number in range(3)]
    quiet, state = delivery("quiet", 9, 1), bare(0)
    assert turns([*burst, quiet, state], most=9) == [[state, quiet, *burst[:2]], [burst[2]]]


def test_a_message_with_too_many_events_has_a_turn_of_its_own() -> None:
    large, small = delivery("g1", 1, 12), delivery("g2", 2, 1)
    assert turns([large, small], most=10) == [[small], [large]]


@given(group=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=40), most=st.integers(1, 30))
def test_nothing_is_lost_and_each_gateway_keeps_its_order(group: list[tuple[str, int]], most: int) -> None:
    deliveries = [delivery(gateway, number, events) for number, (gateway, events) in enumerate(group)]
    parts = turns(deliveries, most)
    flat = [each for part in parts for each in part]
    for gateway in "abc":
        assert [each for each in flat if each.gateway == gateway] == [
            each for each in deliveries if each.gateway == gateway
        ]
    assert len(flat) == len(deliveries)
    for part in parts:
        events = [group[each.arrival.batch.seq][1] for each in part if each.arrival]
        assert sum(events) <= most or sum(number > 0 for number in events) == 1
