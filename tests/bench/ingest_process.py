"""The hub's intake alone, in a process of its own, for benchmarks.

    python -m tests.bench.ingest_process DATA MQTT_PORT GATEWAYS

Every consumer that the hub has stands behind it. Prints one line when it listens: address and pid of the broker,
`READY mqtt://host:port PID`; and one when SIGTERM ended it: `MESSAGES n GROUPS n`, what was committed and in how many
commits.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGTERM

from hub.anomalies.pipeline import AnomalyPipeline
from hub.config import HubConfig
from hub.grids.live import LiveGrids
from hub.ingest.contract import Consumer
from hub.metrics import REGISTRY
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
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(SIGTERM, ended.set)
        await ended.wait()
    messages, groups = (REGISTRY.get_sample_value(f"hub_ingest_group_messages_{part}") for part in ("sum", "count"))
    print(f"MESSAGES {messages or 0:.0f} GROUPS {groups or 0:.0f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
