"""The kiosk driver on a real Chromium: the conformance suite, pages that hang, a hub that is away, a hidden key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from drivers import conformance
from drivers.conformance import Candidate
from drivers.contract import Health, Obeys, Report, Reports
from drivers.listening import listening
from drivers.registry import open_driver
from drivers.terminal.kiosk.options import KioskOptions
from hub.app import create_app
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, DeviceUnreachableError
from protocol.messages import DeviceState, Reading
from tests.serving import Api, served
from tests.simulators.kiosk_page import HANGS, kiosk_page
from tests.simulators.ports import free_port

KIOSK = "terminal.kiosk"
PATIENCE_S = 60
HIDDEN = ["--no-sandbox", "--headless=new"]
KEY = "dw_0123456789ab_secret"


def options(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "browser": "/usr/bin/chromium", "arguments": HIDDEN, "check_every_s": 0.1, **more}


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_it_conforms(check: conformance.Check, tmp_path: Path) -> None:
    async with kiosk_page() as page:
        candidate = Candidate(
            KIOSK,
            options(page.url, tell_every_s=0.2),
            options(page.url, browser="no-such-browser"),
            reports=2,
            patience_s=PATIENCE_S,
        )
        await check(candidate, tmp_path)


@asynccontextmanager
async def shown(folder: Path, **given: Any) -> AsyncIterator[tuple[Any, AsyncIterator[Any]]]:
    """A kiosk, and what it says."""
    async with asyncio.timeout(PATIENCE_S), open_driver(KIOSK, "kiosk-1", given, SystemClock(), folder) as driver:
        assert isinstance(driver, Reports)
        async with listening(driver) as said:
            yield driver, said


async def until(said: AsyncIterator[Any], state: DeviceState) -> None:
    async for each in said:
        if isinstance(each, Health) and each.status is state:
            return


async def test_a_page_that_is_there_is_ready_and_can_be_loaded_anew(tmp_path: Path) -> None:
    async with kiosk_page() as page, shown(tmp_path / "k", **options(page.url)) as (driver, said):
        await until(said, DeviceState.OK)
        report = await anext(said)
        assert isinstance(report, Report)
        assert isinstance(report.record, Reading)
        assert report.record.values == {"page_ready": True}
        while not page.asked.empty():
            page.asked.get_nowait()
        assert isinstance(driver, Obeys)
        await driver.obey("reload", {})
        while await page.asked.get() != "/kiosk":
            pass


async def test_a_page_that_hangs_is_lost(tmp_path: Path) -> None:
    async with kiosk_page(HANGS) as page, shown(tmp_path / "k", **options(page.url, hung_after_s=3)) as (_, said):
        with pytest.raises(DeviceUnreachableError, match="does not answer"):
            async for _each in said:
                pass


async def test_a_browser_that_dies_is_lost(tmp_path: Path) -> None:
    async with kiosk_page() as page, shown(tmp_path / "k", **options(page.url)) as (_, said):
        await until(said, DeviceState.OK)
        for child in psutil.Process().children():
            if "chrom" in child.name():
                child.kill()
        with pytest.raises(DeviceUnreachableError):
            async for _each in said:
                pass


async def test_a_hub_that_is_away_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    given = options(f"http://127.0.0.1:{port}/kiosk", reload_every_s=0.5)
    async with shown(tmp_path / "k", **given) as (_, said):
        await until(said, DeviceState.DEGRADED)
        async with kiosk_page(port=port):
            await until(said, DeviceState.OK)


async def test_the_key_reaches_the_page_and_no_list_of_processes(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    given = {"key_file": str(tmp_path / "key")}
    async with kiosk_page() as page, shown(tmp_path / "k", **options(page.url, **given)) as (_, said):
        await until(said, DeviceState.OK)
        while (asked := await page.asked.get()) != f"/opened?key={KEY}":
            assert "key" not in asked
        for child in psutil.Process().children(recursive=True):
            assert KEY not in " ".join(child.cmdline())
            assert KEY not in str(child.environ())


async def test_the_hubs_own_page_makes_the_kiosk_heard(api: Api, tmp_path: Path) -> None:
    assert (await api.post("/api/v1/gateways", json={"gateway": "g1"})).status_code == 201
    kiosk = {"gateway": "g1", "device": "kiosk-1", "name": "浒井社区"}
    (tmp_path / "key").write_text((await api.post("/api/v1/kiosks", json=kiosk)).json()["key"])

    async def status() -> Any:
        return (await api.get("/api/v1/kiosks")).json()["items"][0]["status"]

    assert await status() == "new"
    async with served(create_app(api.parts)) as hub:
        given = options(f"{hub}/kiosk", key_file=str(tmp_path / "key"))
        async with shown(tmp_path / "k", **given) as (_, said):
            await until(said, DeviceState.OK)
            assert await status() == "ok"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://hub/kiosk"},
        {"url": "https://user:secret@hub/kiosk"},
        {"url": "https://hub/kiosk#key=dw_1"},
        {"url": "https:///kiosk"},
        {"url": "https://hub/kiosk", "key_file": "a", "key_env": "B"},
        {"url": "https://hub/kiosk", "check_every_s": 0},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, KioskOptions)


def test_a_key_that_is_not_there_is_told(tmp_path: Path) -> None:
    for place in ({"key_file": str(tmp_path / "none")}, {"key_env": "NO_SUCH_VARIABLE"}):
        with pytest.raises(ConfigurationError):
            msgspec.convert({"url": "https://hub/kiosk", **place}, KioskOptions).address()
