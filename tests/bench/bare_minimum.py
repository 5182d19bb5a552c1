"""The least that could carry the same load: the same devices, JSON, and publications at QoS 1. Nothing is kept.

    python -m tests.bench.bare_minimum PORT DEVICES RATE

DEVICES load devices say RATE records/s each; whatever waits goes out as one message, and the next follows its PUBACK.
Ends on SIGTERM with a line of JSON: the records sent, and the delays in seconds from each record to its PUBACK.
"""

import asyncio
import json
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
import msgspec

from drivers.contract import Report
from protocol.clock import SystemClock
from protocol.messages import Record
from tests.simulators.load_driver import LoadDevice, LoadOptions

_encode = msgspec.json.Encoder().encode


async def listen(device: LoadDevice, waiting: asyncio.Queue[Record]) -> None:
    async for said in device.reports():
        assert isinstance(said, Report)
        waiting.put_nowait(said.record)


async def carry(client: aiomqtt.Client, waiting: asyncio.Queue[Record], delays: list[float]) -> None:
    while True:
        records = [await waiting.get()]
        while not waiting.empty():
            records.append(waiting.get_nowait())
        await client.publish("bare/minimum", _encode(records), qos=1)
        now = time.time()
        delays += [now - record.at.timestamp() for record in records]


async def main(port: int, devices: int, rate: float) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    waiting, delays = asyncio.Queue[Record](), list[float]()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="diwang-bench-")))
        client = await stack.enter_async_context(aiomqtt.Client("127.0.0.1", port, identifier="bare-minimum"))
        tasks = [asyncio.create_task(carry(client, waiting, delays))]
        for number in range(devices):
            name, options = f"d{number}", LoadOptions(rate=rate, fsync=False)
            device = LoadDevice(name, options, SystemClock(), Path(tempfile.mkdtemp(dir=folder)))
            stack.callback(device.close)
            tasks.append(asyncio.create_task(listen(device, waiting)))
        await stopped.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({"records": len(delays), "delays": delays}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
