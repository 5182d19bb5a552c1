"""Lets The Update Framework's library, which blocks, fetch through the box's asynchronous client of the hub's door."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Final, TypeVar

import httpx
from tuf.api import exceptions
from tuf.ngclient import FetcherInterface

_PIECE: Final = 64 * 1024
_PATIENCE_S: Final = 60.0

ResultT = TypeVar("ResultT")


class Door(FetcherInterface):
    """Used in a thread beside the loop of the client. Errors are the library's own."""

    def __init__(self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def _fetch(self, url: str) -> Iterator[bytes]:
        response = self._wait(self._open(url))
        pieces = response.aiter_bytes(_PIECE)
        try:
            while piece := self._wait(_next(pieces)):
                yield piece
        finally:
            self._wait(response.aclose())

    async def _open(self, url: str) -> httpx.Response:
        response = await self._client.send(self._client.build_request("GET", url), stream=True)
        if response.status_code != httpx.codes.OK:
            await response.aclose()
            raise exceptions.DownloadHTTPError(f"{url}: HTTP {response.status_code}", response.status_code)
        return response

    def _wait(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)
        except httpx.HTTPError as error:
            raise exceptions.DownloadError(f"the hub's door does not answer: {error}") from error
        except TimeoutError as error:
            raise exceptions.SlowRetrievalError(f"no answer within {_PATIENCE_S:.0f} s") from error


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces, b"")
