"""A gateway that makes up names of devices fills neither tables nor memory, and nothing that it says is lost."""

from pathlib import Path

from sqlalchemy import func, select

from hub.devices.model import Device
from hub.ingest.model import DeadLetter
from protocol.clock import SystemClock
from protocol.messages import DeviceState, DeviceStatus, Reading
from tests.simulators.intake import PASSWORD, Chain, running_chain
from tests.simulators.mqtt_gateway import SimulatedGateway, connected_gateway

CLOCK = SystemClock()
MOST = 3


def readings(*names: str) -> list[Reading]:
    return [Reading(device=name, at=CLOCK.now(), values={"t": 1.5}) for name in names]


async def device_names(chain: Chain) -> set[str]:
    async with chain.database.read() as session:
        return set(await session.scalars(select(Device.device)))


async def acked(gateway: SimulatedGateway, seq: int, *names: str) -> None:
    batch = gateway.batch(seq, readings(*names))
    await gateway.send(batch)
    await gateway.until_acked(batch)


async def test_what_devices_beyond_the_limit_say_is_kept_apart(tmp_path: Path) -> None:
    limited = {"devices_per_gateway": MOST}
    async with running_chain(tmp_path, ingest=limited) as chain:
        await chain.register("g1", "g2")
        async with connected_gateway(chain.address, "g1", PASSWORD) as gateway:
            await acked(gateway, 1, "a", "b")
            await acked(gateway, 2, "a", "e", "d", "c", "b")
            assert await device_names(chain) == {"a", "b", "c"}
    # What is known of devices survives a restart.
    async with running_chain(tmp_path, ingest=limited) as chain:
        async with connected_gateway(chain.address, "g1", PASSWORD) as gateway:
            await acked(gateway, 3, "f", "a")
        async with connected_gateway(chain.address, "g2", PASSWORD) as other:
            await acked(other, 1, "f")
        assert await device_names(chain) == {"a", "b", "c", "f"}
        async with chain.database.read() as session:
            letters = (await session.scalars(select(DeadLetter).order_by(DeadLetter.id))).all()
        assert [(each.gateway, each.part, each.position) for each in letters] == [
            ("g1", "record", 1),
            ("g1", "record", 2),
            ("g1", "record", 0),
        ]
        assert all("ingest.devices_per_gateway" in each.reason for each in letters)
        assert len(await chain.telemetry.last()) == MOST + 1


async def test_a_state_names_no_more_devices_than_there_may_be(tmp_path: Path) -> None:
    async with running_chain(tmp_path, ingest={"devices_per_gateway": MOST}) as chain:
        await chain.register("g1")
        async with connected_gateway(chain.address, "g1", PASSWORD) as gateway:
            since = CLOCK.now()
            devices = [
                DeviceStatus(device=f"d{number}", driver="x", status=DeviceState.OK, since=since) for number in range(9)
            ]
            for seq in (1, 2):
                await gateway.say(devices=tuple(devices))
                await acked(gateway, seq, "d0")
        assert await device_names(chain) == {"d0", "d1", "d2"}
        async with chain.database.read() as session:
            (letter,) = (await session.scalars(select(DeadLetter))).all()
            assert await session.scalar(select(func.count()).select_from(Device)) == MOST
        assert letter.payload == b'["d3","d4","d5","d6","d7","d8"]'
        assert letter.times_seen == 2
