"""The driver that docs/writing-a-driver.md shows: on the page, as the package of tests/example_driver, on a box."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers import conformance
from drivers.conformance import Candidate
from tests.simulators.edge_process import EdgeProcess, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import nats_server
from tests.simulators.ports import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "writing-a-driver.md"
PACKAGE = ROOT / "tests" / "example_driver"


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


def test_the_page_shows_the_package_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (driver, *_) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert driver == (PACKAGE / "fridge.py").read_text(encoding="utf-8")
    entry = re.search(r"```toml\n(\[project\.entry-points.*?)```", page, re.DOTALL)
    assert entry is not None
    assert entry[1] in (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")


async def test_a_box_finds_the_installed_package_by_its_name(thermometer: int, tmp_path: Path) -> None:
    source, installed = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(installed), str(source)]
    await asyncio.to_thread(lambda: subprocess.run(command, check=True))
    async with nats_server(tmp_path / "nats") as broker, connected(HubStandIn(), broker.mqtt_port) as hub:
        config = site(tmp_path, broker.mqtt_port)
        with config.open("a") as file:
            file.write(
                f'[devices.fridge-1]\ndriver = "fridge"\noptions = {{ host = "127.0.0.1", port = {thermometer} }}\n'
            )
        edge = await EdgeProcess(config, environment={"PYTHONPATH": str(installed)}).start()
        await hub.until(lambda: len(hub.values("fridge-1", "temperature_c")) > 2)
        assert set(hub.values("fridge-1", "temperature_c")) == {4.5}
        assert await edge.end() == 0
