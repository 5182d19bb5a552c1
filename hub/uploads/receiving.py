"""Taking the bytes of one request: appended as they come, on the disk before anything is answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect

from hub.uploads.digests import Digests
from hub.uploads.folder import PartFile, UploadFolder
from hub.uploads.headers import CHECKSUM_MISMATCH, Checksum
from hub.uploads.turns import Slot, Turn
from protocol.errors import RefusedRequestError

LARGEST_CHECKED: Final = 8 * 1024 * 1024
"""Bytes with a checksum are held until they are known to be right."""

_GATHERED: Final = 256 * 1024

Taken = ParamSpec("Taken")
Given = TypeVar("Given")


class Receiving:
    """One request's bytes into one file."""

    def __init__(self, folder: UploadFolder, part: PartFile, slot: Slot, limit: int) -> None:
        """Take at most `limit` bytes more."""
        self._folder = folder
        self._part = part
        self._slot = slot
        self._limit = limit
        if slot.digests is None and part.size == 0:
            slot.digests = Digests()
        if slot.digests is not None and slot.digests.size != part.size:
            slot.digests = None  # another process, or a crash, came in between: the file is read again at the end

    async def stream(self, pieces: AsyncIterator[bytes], turn: Turn, silence_s: float) -> None:
        """Append the body as it comes. However the request ends, what came of it is on the disk then.

        Raises RefusedRequestError: 400 for a body that breaks off, 408, 409 as `Turn.next`, 413 beyond the limit, 507.
        """
        gathered = bytearray()
        try:
            while (piece := await _next(pieces, turn, silence_s)) is not None:
                over = len(gathered) + len(piece) - self._limit
                gathered += piece if over <= 0 else piece[:-over]
                if over > 0:
                    raise RefusedRequestError("uploads.too_long", "more bytes than the upload declared", status=413)
                if len(gathered) >= _GATHERED:
                    taken, gathered = bytes(gathered), bytearray()
                    await self._append(taken)
        finally:
            await self._append(bytes(gathered))
            await _whole(self._part.sync)

    async def checked(self, pieces: AsyncIterator[bytes], turn: Turn, silence_s: float, checksum: Checksum) -> None:
        """Append the body if it is what the checksum says, and nothing of it otherwise.

        Raises as `stream`, and RefusedRequestError (460) for other bytes.
        """
        body = bytearray()
        while (piece := await _next(pieces, turn, silence_s)) is not None:
            body += piece
            if len(body) > min(self._limit, LARGEST_CHECKED):
                detail = f"at most {LARGEST_CHECKED} bytes with a checksum, and no more than declared"
                raise RefusedRequestError("uploads.too_long", detail, status=413)
        if not checksum.fits(bytes(body)):
            detail = "the bytes came with another checksum; send them again"
            raise RefusedRequestError("uploads.wrong_checksum", detail, status=CHECKSUM_MISMATCH)
        await self._append(bytes(body))
        await _whole(self._part.sync)

    async def _append(self, piece: bytes) -> None:
        if piece:
            await asyncio.to_thread(self._folder.require_room, len(piece))
            await _whole(self._part.append, piece, self._slot.digests)
            self._limit -= len(piece)


async def _next(pieces: AsyncIterator[bytes], turn: Turn, silence_s: float) -> bytes | None:
    try:
        return await turn.next(pieces, silence_s)
    except ClientDisconnect as error:
        raise RefusedRequestError("uploads.broken_off", "the connection broke off", status=400) from error


async def _whole(act: Callable[Taken, Given], *args: Taken.args, **options: Taken.kwargs) -> Given:
    """Run in a thread and wait for its end even when cancelled: nothing may close a file that is being written."""
    running = asyncio.ensure_future(asyncio.to_thread(act, *args, **options))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
