"""Whoever opens connections and says little does not hold them for ever; whoever waits for an answer does."""

import asyncio
import json
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from hub.api.patience import PatientProtocol
from tests.serving import Api, served

PATIENCE_S = 0.5
MUCH_LATER_S = 15


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "head_within_s", PATIENCE_S)
    monkeypatch.setattr(PatientProtocol, "body_within_s", PATIENCE_S)


async def connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


HEAD = "GET /healthz HTTP/1.1\r\nHost: hub\r\n"
BODY_TO_COME = "POST /login HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "begun", ["", HEAD, BODY_TO_COME, HEAD + "\r\n" + HEAD], ids=["mute", "head", "body", "second"]
)
async def test_who_does_not_finish_a_request_is_let_go(api: Api, begun: str) -> None:
    async with served(api.app) as url:
        reader, writer = await connected(url)
        writer.write(begun.encode())
        trickling = asyncio.create_task(_trickle(writer))
        answers = b""
        async with asyncio.timeout(MUCH_LATER_S):
            with suppress(ConnectionError):
                while piece := await reader.read(4096):
                    answers += piece
        assert answers.count(b"HTTP/1.1 200 OK") == begun.count("\r\n\r\nGET")  # only what was asked whole is answered
        trickling.cancel()
        writer.close()


async def _trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, so that the connection is never idle."""
    with suppress(ConnectionError):
        while True:
            await asyncio.sleep(PATIENCE_S / 10)
            writer.write(b"x")
            await writer.drain()


@pytest.mark.usefixtures("hurried")
async def test_an_answer_may_take_as_long_as_it_likes(api: Api) -> None:
    async with served(api.app) as url:
        reader, writer = await connected(url)
        writer.write(f"GET /api/v1/stream HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode())
        await reader.readuntil(b"hello")
        await asyncio.sleep(2 * PATIENCE_S)
        async with api.parts.database.write() as session:
            await api.parts.stream.append(session, "task", {"n": 1})
        async with asyncio.timeout(MUCH_LATER_S):
            assert b"event: task" in await reader.readuntil(b'{"n": 1}')
        writer.close()


@pytest.mark.usefixtures("hurried")
async def test_a_slow_request_that_comes_in_time_is_answered(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "head_within_s", MUCH_LATER_S)
    monkeypatch.setattr(PatientProtocol, "body_within_s", MUCH_LATER_S)
    body = json.dumps({"key": api.key}).encode()
    head = f"POST /login HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    async with served(api.app) as url:
        reader, writer = await connected(url)
        for part in (head[:20].encode(), head[20:].encode(), body[:5], body[5:]):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(PATIENCE_S / 10)
        assert (await reader.readline()).startswith(b"HTTP/1.1 204")
        writer.close()
