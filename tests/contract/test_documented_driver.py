"""The driver that docs/writing-a-driver.md shows, taken out of that page."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers import conformance
from drivers.conformance import Candidate
from tests.simulators.nats_server import free_port

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-driver.md"


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the page's driver where it can be imported."""
    (driver, *_) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "fridge.py").write_text(driver, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fridge", raising=False)


@pytest.fixture
async def thermometer() -> AsyncIterator[int]:
    """A thermometer on loopback; yields its port."""
    speaking: set[asyncio.Task[None]] = set()

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        speaking.add(task)
        try:
            with suppress(ConnectionError):
                while True:
                    writer.write(b"4.5\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)
        finally:
            writer.close()
            speaking.discard(task)

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    while speaking:  # until each has noticed that nobody listens
        await asyncio.wait(speaking)


@pytest.mark.usefixtures("documented")
@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_the_documented_driver_conforms(check: conformance.Check, thermometer: int, tmp_path: Path) -> None:
    options = {"host": "127.0.0.1", "port": thermometer}
    candidate = Candidate("fridge:SPEC", options, {"host": "127.0.0.1", "port": free_port()})
    await check(candidate, tmp_path)
