"""The hub's intake alone, in a process of its own, for benchmarks.

    python -m tests.bench.ingest_process DATA MQTT_PORT GATEWAYS

Every consumer that the hub has stands behind it. Prints one line when it listens: address and pid of the broker,
`READY mqtt://host:port PID`.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from hub.anomalies.pipeline import AnomalyPipeline
from hub.config import HubConfig
from hub.grids.live import LiveGrids
from hub.ingest.contract import Consumer
from hub.storage.database import Database
from hub.stream.stream import Stream
from tests.simulators.intake import CLOCK, running_chain


async def main(data: Path, port: int, gateways: int) -> None:
    def consumers(database: Database, stream: Stream) -> Sequence[Consumer]:
        grids = LiveGrids(database, CLOCK)
        settings = HubConfig(data=data).anomalies
        return [AnomalyPipeline(clock=CLOCK, stream=stream, grids=grids, settings=settings)]

    async with running_chain(data, broker={"mqtt_port": port}, consumers=consumers) as chain:
        await chain.register(*(f"g{number}" for number in range(gateways)))
        await chain.intake.registry.refresh()
        broker = (data / "broker" / "nats.pid").read_text(encoding="utf-8")
        print(f"READY {chain.address} {broker}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
