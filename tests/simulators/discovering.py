"""What the installer's scan for printers finds, line by line, from a process of its own.

python -m tests.simulators.discovering 5.0
"""

import asyncio
import sys

import msgspec

from drivers.printer.discovery import discover


async def main(seconds: float) -> None:
    async for found in discover(seconds):
        print(msgspec.json.encode(found).decode(), flush=True)  # noqa: T201 - it is read by the test


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
