"""The conformance suite in a process of its own, for drivers whose other end is simulated in the test's.

python -m tests.simulators.conforming candidate.json folder
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from drivers import conformance
from drivers.conformance import Candidate
from tests.simulators.listened import opened


async def main(candidate: Candidate, folder: Path) -> None:
    # What a library keeps for the whole process it makes when the device is first reached, not when it is opened.
    async with opened(candidate.kind, "candidate-1", candidate.options, folder / "first") as device:
        await device.health()
    for check in conformance.CHECKS:
        await check(candidate, folder)
        print(check.__name__, flush=True)  # noqa: T201 - it is read by the test


if __name__ == "__main__":
    said = msgspec.json.decode(Path(sys.argv[1]).read_bytes())
    asyncio.run(main(Candidate(**said), Path(sys.argv[2])))
