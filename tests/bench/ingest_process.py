"""The hub's intake alone, in a process of its own, for benchmarks and for tests that kill it.

    python -m tests.bench.ingest_process DATA MQTT_PORT GATEWAYS

Prints one line when it listens: `READY mqtt://host:port <pid of the broker>`.
"""

import asyncio
import sys
from pathlib import Path

from tests.simulators.intake import running_chain


async def main(data: Path, port: int, gateways: int) -> None:
    async with running_chain(data, broker={"mqtt_port": port}) as chain:
        await chain.register(*(f"g{number}" for number in range(gateways)))
        await chain.intake.registry.refresh()
        broker = (data / "broker" / "nats.pid").read_text(encoding="utf-8")
        print(f"READY {chain.address} {broker}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
