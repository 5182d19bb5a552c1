"""What was said at the sources against what the hub has: the only judge of the test-bed."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.simulators.edge_process import EdgeProcess

PAGE = 500
POSITIONS = 10_000
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Count:
    """One device's numbers. `kept` were promised to the source, `said` were ever uttered, `stored` are at the hub."""

    device: str
    said: int
    kept: int
    stored: int
    lost: int
    duplicated: int
    phantom: int


def compare(device: str, said: list[int], kept: list[int], stored: list[int]) -> Count:
    """Lost: promised and not there. Duplicated: there more than once. Phantom: there, and never said."""
    there = Counter(stored)
    return Count(
        device,
        said=len(set(said)),
        kept=len(set(kept)),
        stored=len(there),
        lost=len(set(kept) - set(there)),
        duplicated=sum(times - 1 for times in there.values()),
        phantom=len(set(there) - set(said)),
    )


class Reader:
    """Reads back everything that the hub has stored of a device."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self._http.get(f"/api/v1{path}", params=query, timeout=60)
        answer.raise_for_status()
        return answer

    async def readings(self, gateway: str, device: str) -> list[int]:
        span = {"from": LONG_AGO.isoformat(), "to": FAR_OFF.isoformat()}
        answer = await self.get("/telemetry/export", gateway=gateway, device=device, format="csv", **span)
        return [int(float(row["number"])) for row in csv.DictReader(io.StringIO(answer.text)) if row["name"] == "n"]

    async def events(self, gateway: str, device: str) -> list[int]:
        return [int(item["data"]["n"]) for item in await self.items("/events", gateway=gateway, device=device)]

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Return every item of a list."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = (await self.get(path, limit=PAGE, **query, **({"cursor": cursor} if cursor else {}))).json()
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    async def positions(self, gateway: str, device: str) -> list[int]:
        """The load device walks one 100,000th of a degree per number."""
        numbers: list[int] = []
        since = LONG_AGO
        while True:
            span = {"from": since.isoformat(), "to": FAR_OFF.isoformat()}
            answer = await self.get("/positions", gateway=gateway, device=device, limit=POSITIONS, **span)
            features = answer.json()["features"]
            numbers += [round((feature["geometry"]["coordinates"][0] - 118.10) * 1e5) for feature in features]
            if len(features) < POSITIONS:
                return numbers
            since = datetime.fromisoformat(features[-1]["properties"]["at"])
            numbers = numbers[:-1]  # the last one comes again with the next page


def numbers(file: Path) -> list[int]:
    """Return the whole lines of a ledger; a torn line at the end was never handed over."""
    content = file.read_bytes()
    return [int(line) for line in content[: content.rfind(b"\n") + 1].split()]


async def count(reader: Reader, edges: dict[str, EdgeProcess]) -> list[Count]:
    """Compare every load device of every box."""
    counts = []
    for gateway, edge in edges.items():
        for device, read in (("readings", reader.readings), ("events", reader.events), ("positions", reader.positions)):
            said, kept = (numbers(edge.config.parent / device / name) for name in ("said", "kept"))
            counts.append(compare(f"{gateway}/{device}", said, kept, await read(gateway, device)))
    return counts
