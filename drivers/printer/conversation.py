"""Talking with a printer over one connection: paced bytes out, questions and their answers."""

import asyncio
from typing import Final

from drivers.printer.contract import PrinterStatus, Query
from drivers.printer.pacing import Pacer
from drivers.printer.transports import Connection
from protocol.errors import DeviceUnreachableError, UndecodableMessageError

ANSWER_S: Final = 2.0
"""A printer answers a question about its status at once; in this time also over a bad radio link."""
_ATTEMPTS: Final = 2


class Conversation:
    """One connection.

    `sent` counts the bytes of tickets, `acknowledged` those that surely have reached the printer, `garbled` the answers
    that could not be read.
    """

    def __init__(self, connection: Connection, pacer: Pacer, *, fence_every: int) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.garbled = 0
        self._connection, self._pacer, self._fence_every = connection, pacer, fence_every
        self._since_fence = 0

    async def send(self, content: bytes, *, last: bool = False) -> None:
        """Send part of a ticket, no faster than the printer prints; the end of the last is acknowledged as well.

        Raises DeviceUnreachableError for a broken line.
        """
        size = min(self._connection.longest, self._pacer.largest)
        for at in range(0, len(content), size):
            piece = content[at : at + size]
            if wait_s := self._pacer.wait_s(len(piece)):
                await asyncio.sleep(wait_s)
            self._since_fence += 1
            fence = self._since_fence >= self._fence_every or (last and at + size >= len(content))
            acknowledged = await self._connection.write(piece, fence=fence)
            self._pacer.sent(len(piece))
            self.sent += len(piece)
            if fence:
                self._since_fence = 0
            if acknowledged:
                self.acknowledged = self.sent

    async def ask(self, query: Query, *, afresh: bool = True) -> PrinterStatus:
        """Return the answer to a question that is answered at once; it also acknowledges what was sent before.

        Raises DeviceUnreachableError when there is none, or nothing but nonsense: bytes of a picture that look like a
        question are answered too, and such an answer may come in between. Not `afresh` while another answer is waited
        for: one that has come already then counts as garbled, and is not dropped unseen.
        """
        nonsense = ""
        for _ in range(_ATTEMPTS):
            sent = self.sent
            await self.put(query, afresh=afresh)
            try:
                status = await self.hear(query, ANSWER_S)
            except UndecodableMessageError as error:
                nonsense = f": {error.reason}"
                continue
            if status is not None:
                self.acknowledged = max(self.acknowledged, sent)
                return status
        raise DeviceUnreachableError(f"it does not answer{nonsense}")

    async def put(self, query: Query, *, afresh: bool = True) -> None:
        """Ask, and leave the answer to `hear`."""
        if afresh:
            self._connection.inbox.forget()
        size = self._connection.longest
        for at in range(0, len(query.request), size):
            await self._connection.write(query.request[at : at + size], fence=False)

    async def hear(self, query: Query, within_s: float) -> PrinterStatus | None:
        """Return the answer to what was put, None when it does not come in time; raise as the query's decoder does.

        What comes behind the answer stays: two questions may have been put.
        """
        inbox = self._connection.inbox
        heard = inbox.content
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for size in range(1, len(heard) + 1):
                        if status := query.decode(heard[:size]):
                            inbox.forget(size)
                            return status
                    heard = await inbox.more()
        except TimeoutError:
            return None
        except UndecodableMessageError:
            self.garbled += 1
            inbox.forget()
            raise
