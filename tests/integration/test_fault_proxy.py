"""The proxy does what the fault tests rely on, in the program and as a process of its own."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.simulators.edge_process import ROOT
from tests.simulators.fault_proxy import FaultProxy


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def round_trip(port: int, payload: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(payload)
        writer.write_eof()
        return await reader.read(-1)
    finally:
        writer.close()


async def test_a_healthy_proxy_changes_nothing() -> None:
    payload = bytes(range(256)) * 1_000
    async with echo() as target, FaultProxy(target) as proxy:
        assert await round_trip(proxy.port, payload) == payload
        proxy.set(slice=1_001, latency_s=0.001)
        assert await round_trip(proxy.port, payload) == payload
        assert proxy.counters.bytes_up == proxy.counters.bytes_down == 2 * len(payload)


async def test_each_fault_does_its_harm() -> None:
    async with echo() as target, FaultProxy(target, seed=3) as proxy:
        proxy.set(flip=1.0)
        assert await round_trip(proxy.port, bytes(100)) != bytes(100)
        proxy.set(flip=None, cut_after=10)
        with pytest.raises(ConnectionResetError):
            await round_trip(proxy.port, bytes(100))
        proxy.set(cut_after=None, down=True)
        with pytest.raises(ConnectionResetError):
            await round_trip(proxy.port, bytes(100))
        proxy.set(down=False, blackhole=True)
        waiting = asyncio.create_task(round_trip(proxy.port, bytes(100)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        proxy.clear()
        assert await waiting == bytes(100)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()


async def ask(port: int, method: str, path: str = "/", body: str = "") -> tuple[str, dict[str, dict[str, object]]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
    head, _, answer = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    found: dict[str, dict[str, object]] = json.loads(answer)
    return head.decode().split()[1], found


async def test_the_process_obeys_over_http() -> None:
    async with echo() as target:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.simulators.fault_proxy",
            "--target",
            str(target),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            ports = json.loads(await process.stdout.readline())
            assert await round_trip(ports["listen"], b"hello") == b"hello"
            _, state = await ask(ports["control"], "POST", body='{"down": true}')
            assert state["faults"]["down"] is True
            with pytest.raises(ConnectionResetError):
                await round_trip(ports["listen"], b"hello")
            assert (await ask(ports["control"], "POST", "/clear"))[1]["faults"]["down"] is False
            assert (await ask(ports["control"], "POST", body='{"nonsense": 1}'))[0] == "400"
            _, state = await ask(ports["control"], "GET")
            assert state["counters"]["connections"] == 1
        finally:
            process.kill()
            await process.wait()
