"""The peripherals of a box beside its load: a printer that is given tickets, and a dock from which recorders are torn.

Both have a ledger of their own. No ticket may be on paper twice, none that is called printed may be missing there, and
every order must come to an end. Every clip that stayed in the dock must be at the hub, byte for byte, and once.
"""

import asyncio
import contextlib
import hashlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import msgspec
import zxingcpp
from PIL import Image

from protocol.clock import SystemClock
from protocol.documents import Document, Paragraph, PrintOrder, Qr
from tests.faults.ledger import Reader
from tests.simulators import printer_profiles
from tests.simulators.printer import Printer, in_the_network

TICKET_EVERY_S: Final = (1.0, 5.0)
DOCK_EVERY_S: Final = (2.0, 6.0)
CLIP_BYTES: Final = (50_000, 400_000)
ORDER_VALID: Final = timedelta(seconds=60)
_WINDOW: Final = 900
_STEP: Final = 300
_CLOCK: Final = SystemClock()


@dataclass(slots=True)
class Tickets:
    """Orders by their id, each with its number."""

    ordered: dict[str, int] = field(default_factory=dict)
    printed: int = 0
    unfinished: int = 0
    missing: int = 0
    twice: int = 0

    def __str__(self) -> str:
        return (
            f"tickets ordered {len(self.ordered)}, printed {self.printed}, called printed and missing {self.missing}, "
            f"twice on paper {self.twice}, without an end {self.unfinished}"
        )

    @property
    def is_well(self) -> bool:
        return not (self.missing or self.twice or self.unfinished) and self.printed > 0


@dataclass(slots=True)
class Clips:
    """SHA-256 of every clip that was ever shot, and what the hub has of them."""

    shot: set[str] = field(default_factory=set)
    arrived: int = 0
    lost: int = 0
    duplicated: int = 0
    phantom: int = 0

    def __str__(self) -> str:
        return (
            f"clips shot {len(self.shot)}, at the hub {self.arrived}, lost {self.lost}, duplicated {self.duplicated}, "
            f"phantom {self.phantom}"
        )

    @property
    def is_well(self) -> bool:
        return not (self.lost or self.duplicated or self.phantom) and self.arrived > 0


class Peripherals:
    """A printer and a dock. `live` uses them until it is cancelled; `settle` lets them come to rest and judges."""

    def __init__(self, folder: Path, http: httpx.AsyncClient, gateway: str, chance: Random) -> None:
        self.tickets = Tickets()
        self.clips = Clips()
        self.profiles = printer_profiles.write(folder / "profiles")
        self._folder = folder
        self._http = http
        self._gateway = gateway
        self._chance = chance
        self._printer = Printer()
        self._port = 0
        self._dock = folder / "docks" / "unit"
        self._away = folder / "away"
        (self._dock / "VIDEO").mkdir(parents=True)

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """Switch the printer on."""
        async with in_the_network(self._printer) as self._port:
            yield

    def devices(self) -> str:
        """The part of the box's configuration."""
        return (
            '[devices.printer]\ndriver = "printer"\n[devices.printer.options]\nprofile = "quick"\n'
            f'line = {{ kind = "tcp", host = "127.0.0.1", port = {self._port} }}\n'
            '[devices.recorder]\ndriver = "recorder"\n'
            f'[devices.recorder.options]\nurl = "mount:{self._dock.parent}"\nmounted = false\nlook_every_s = 0.5\n'
            "reserve_bytes = 0\n[uploads]\nlongest_wait_s = 2.0\n"
        )

    async def live(self) -> None:
        """Order tickets, shoot clips, tear the recorder out of its dock and empty the roll, until cancelled."""
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._order_tickets())
            parts.create_task(self._shoot())

    async def settle(self, reader: Reader, within_s: float) -> None:
        """Put everything back, wait until nothing is under way any more, and judge."""
        self._printer.see_to()
        self._put_back()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not await self._rests(reader):  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(0.5)
        await self._judge_tickets(reader)
        await self._judge_clips(reader)

    async def _order_tickets(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(self._chance.uniform(*TICKET_EVERY_S))
            if self._chance.random() < 0.2:
                self._printer.paper_out = True
            elif self._printer.paper_out:
                self._printer.see_to()
            await self._order(number)

    async def _order(self, number: int) -> None:
        """Order one ticket; an order whose answer was lost is made again under the same key."""
        body = {
            "gateway": self._gateway,
            "device": "printer",
            "name": "print",
            "args": msgspec.to_builtins(PrintOrder(document=_ticket(number))),
            "expires_at": (_CLOCK.now() + ORDER_VALID).isoformat(),
        }
        while True:
            try:
                answer = await self._http.post(
                    "/api/v1/commands", json=body, headers={"Idempotency-Key": f"ticket-{number}"}
                )
            except httpx.TransportError:
                await asyncio.sleep(0.3)
                continue
            if answer.is_success:
                self.tickets.ordered[answer.json()["id"]] = number
                return
            await asyncio.sleep(0.3)

    async def _shoot(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(self._chance.uniform(*DOCK_EVERY_S))
            self._put_back()
            content = self._chance.randbytes(self._chance.randrange(*CLIP_BYTES))
            name = f"A123456_123456_20261125{number // 60 % 24:02}{number % 60:02}00_{number:04}.mp4"
            (self._dock / "VIDEO" / name).write_bytes(content)
            self.clips.shot.add(hashlib.sha256(content).hexdigest())
            if self._chance.random() < 0.3:
                await asyncio.sleep(self._chance.uniform(0.0, 1.0))
                self._dock.rename(self._away)

    def _put_back(self) -> None:
        if self._away.exists():
            self._away.rename(self._dock)

    async def _rests(self, reader: Reader) -> bool:
        states = [state for state, _ in (await self._orders(reader)).values()]
        kept = {item["sha256"] for item in await self._kept(reader)}
        return "pending" not in states and self.clips.shot <= kept

    async def _orders(self, reader: Reader) -> dict[str, tuple[str, dict[str, Any]]]:
        found = await reader.items("/commands", gateway=self._gateway)
        return {each["id"]: (each["state"], each["data"] or {}) for each in found if each["name"] == "print"}

    @staticmethod
    async def _kept(reader: Reader) -> list[dict[str, Any]]:
        return await reader.items("/footage", state="kept")

    async def _judge_tickets(self, reader: Reader) -> None:
        seen = self._on_paper()
        orders = await self._orders(reader)
        for order, number in self.tickets.ordered.items():
            state, data = orders.get(order, ("pending", {}))
            printed = state == "done" and data.get("result") == "printed"
            self.tickets.printed += printed
            self.tickets.unfinished += state == "pending"
            self.tickets.missing += printed and not seen[number]
            self.tickets.twice += seen[number] > 1

    async def _judge_clips(self, reader: Reader) -> None:
        there = Counter(item["sha256"] for item in await self._kept(reader))
        self.clips.arrived = len(there)
        self.clips.lost = len(self.clips.shot - set(there))
        self.clips.duplicated = sum(times - 1 for times in there.values())
        self.clips.phantom = len(set(there) - self.clips.shot)

    def _on_paper(self) -> Counter[int]:
        """Return how often each ticket's code stands on the paper."""
        rows = self._printer.rows
        places: dict[int, set[int]] = {}
        for start in range(0, max(1, len(rows)), _STEP):
            some = rows[start : start + _WINDOW]
            if not some:
                break
            dots = bytes(255 - byte for byte in b"".join(some))
            image = Image.frombytes("1", (self._printer.width, len(some)), dots).convert("L")
            for code in zxingcpp.read_barcodes(image):
                # The same code is seen in several windows, a few dots apart at most.
                places.setdefault(int(code.text.rpartition(" ")[2]), set()).add(
                    round((start + code.position.top_left.y) / 50)
                )
        return Counter({number: _apart(where) for number, where in places.items()})


def _ticket(number: int) -> Document:
    return Document(blocks=(Qr(text=f"ticket {number}"), Paragraph(text="现场检查记录　" * 12)))


def _apart(places: set[int]) -> int:
    """Count places that are not neighbours."""
    return sum(place - 1 not in places for place in places)
