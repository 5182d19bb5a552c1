"""The terminal driver against the conformance suite, with a terminal that calls again whenever it is hung up on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drivers import conformance
from drivers.conformance import Candidate
from tests.simulators import jt808_terminal as unit
from tests.simulators.ports import free_port

JT808 = "drivers.terminal.jt808:SPEC"
PHONE = "13912345678"


async def call_for_ever(port: int) -> None:
    at = datetime(2026, 11, 24, 8, tzinfo=UTC)
    while True:
        with suppress(OSError, EOFError):
            async with unit.calling(port) as caller:
                await caller.sign_on()
                while True:
                    at += timedelta(seconds=61)
                    await caller.say(0x0200, unit.location(at))
                    await caller.hear()
        await asyncio.sleep(0.01)  # nothing tells when somebody listens


@asynccontextmanager
async def candidate() -> AsyncIterator[Candidate]:
    port = free_port()
    options = {"phone": PHONE, "host": "127.0.0.1", "port": port}
    calling = asyncio.create_task(call_for_ever(port))
    try:
        yield Candidate(JT808, options, {**options, "phone": "1", "port": free_port(), "silent_after_s": 0.2})
    finally:
        calling.cancel()
        await asyncio.wait((calling,))


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_it_conforms(check: conformance.Check, tmp_path: Path) -> None:
    async with candidate() as terminal:
        await check(terminal, tmp_path)
