"""Broker, commit, acknowledgement: the chain in one process, every part real."""

import hashlib
from pathlib import Path

from sqlalchemy import select

from hub.devices.model import Device
from hub.events.model import EventMessage
from hub.ingest.model import DeadLetter
from protocol import topics
from protocol.clock import SystemClock
from protocol.messages import Event, EventState, Position, Reading, Severity
from tests.simulators.intake import PASSWORD, running_chain
from tests.simulators.mqtt_gateway import connected_gateway

CLOCK = SystemClock()


async def test_what_a_gateway_sends_is_stored_and_acknowledged(tmp_path: Path) -> None:
    async with running_chain(tmp_path) as chain:
        await chain.register("g1")
        async with connected_gateway(chain.address, "g1", PASSWORD) as gateway:
            at = CLOCK.now()
            event = Event(
                device="cam-1",
                at=at,
                type="camera.covered",
                severity=Severity.MAJOR,
                id=CLOCK.new_id(),
                state=EventState.BEGAN,
            )
            batch = gateway.batch(
                1,
                [
                    Reading(
                        device="fridge-1", at=at, values={"temperature_c": 4.5, "door_open": False, "mode": "auto"}
                    ),
                    Position(device="van-7", at=at, latitude=24.57, longitude=118.1),
                    event,
                ],
            )
            await gateway.send(batch)
            await gateway.until_acked(batch)
            picture = b"\xff\xd8\xff" + bytes(1000)
            digest = hashlib.sha256(picture).hexdigest()
            await gateway.publish(topics.image("g1", digest), picture)
            await gateway.until_image(digest)
        assert {(each.device, each.name, each.value) for each in await chain.telemetry.last()} == {
            ("fridge-1", "temperature_c", 4.5),
            ("fridge-1", "door_open", False),
            ("fridge-1", "mode", "auto"),
        }
        assert await chain.media.get(digest) == picture
        async with chain.database.read() as session:
            assert set(await session.scalars(select(Device.device))) == {"fridge-1", "van-7", "cam-1"}
            assert (await session.scalars(select(EventMessage.event))).all() == [event.id]
            assert (await session.scalars(select(DeadLetter))).all() == []
