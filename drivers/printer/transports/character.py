"""A character device of the kernel that leads to a printer, and that one program opens at a time."""

import asyncio
import os
from typing import Final

from drivers.printer.transports.inbox import Inbox
from protocol.errors import DeviceUnreachableError

_STUCK_S: Final = 4.0
_LONGEST: Final = 1_024
_PIECE: Final = 1_024


class CharacterDevice:
    """The open device, not blocking; `name` says in errors what it is. The kernel tells of no acknowledgement."""

    longest = _LONGEST

    def __init__(self, descriptor: int, name: str, gone: str) -> None:
        self.inbox = Inbox()
        self._descriptor, self._name, self._gone = descriptor, name, gone
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    async def write(self, piece: bytes, *, fence: bool) -> bool:
        del fence
        try:
            async with asyncio.timeout(_STUCK_S):
                while piece:
                    self.inbox.check()
                    piece = piece[await self._written(piece) :]
        except TimeoutError:
            raise DeviceUnreachableError(f"it takes no more bytes for {_STUCK_S:.0f} s") from None
        except OSError as error:
            raise DeviceUnreachableError(f"{self._name}: {error}") from error
        return False

    async def close(self) -> None:
        """Give the device back; the kernel may let what was written go out first, which a thread waits for."""
        self._loop.remove_reader(self._descriptor)
        await asyncio.to_thread(os.close, self._descriptor)

    async def _written(self, piece: bytes) -> int:
        try:
            return os.write(self._descriptor, piece)
        except BlockingIOError:
            writable = asyncio.Event()
            self._loop.add_writer(self._descriptor, writable.set)
            try:
                await writable.wait()
            finally:
                self._loop.remove_writer(self._descriptor)
            return 0

    def _read(self) -> None:
        try:
            piece = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            piece, reason = b"", f"{self._name}: {error}"
        else:
            reason = self._gone
        if piece:
            self.inbox.hear(piece)
            return
        self._loop.remove_reader(self._descriptor)
        self.inbox.break_off(reason)
