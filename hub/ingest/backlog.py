"""What has been read and waits for a commit: bounded, first in, first out."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from hub.ingest.deliveries import Delivery

QUEUE_BYTES: Final = 32 * 1024 * 1024
GROUP_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, how much is committed together, and how long a lone message waits for company."""

    queue_messages: int = 4_000
    queue_bytes: int = QUEUE_BYTES
    group_messages: int = 500
    group_bytes: int = GROUP_BYTES
    linger_s: float = 0.001


class Backlog:
    """Messages between the broker and the stores. Full means that the gateway has to send again."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self, size: int) -> bool:
        """Tell whether a message of `size` bytes may still be put."""
        return len(self._waiting) < self._bounds.queue_messages and self._bytes + size <= self._bounds.queue_bytes

    def put(self, delivery: Delivery) -> None:
        """Take a message that there is room for."""
        self._waiting.append(delivery)
        self._bytes += len(delivery.payload)
        self._arrived.set()

    async def group(self) -> list[Delivery]:
        """Wait for messages and take as many as are committed together.

        Only when nothing else waits does the first one linger: while a commit is on, the next group gathers anyway.
        """
        if not self._waiting:
            await self._arrived.wait()
            await asyncio.sleep(self._bounds.linger_s)
        group: list[Delivery] = []
        size = 0
        while self._waiting and len(group) < self._bounds.group_messages and size < self._bounds.group_bytes:
            delivery = self._waiting.popleft()
            size += len(delivery.payload)
            group.append(delivery)
        self._bytes -= size
        if not self._waiting:
            self._arrived.clear()
        return group
