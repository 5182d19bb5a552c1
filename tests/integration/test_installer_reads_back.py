"""The installer's page, begun anew, at a real hub: it shows what was registered and certified before."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.installer.access import Access
from edge.installer.agents import Agents
from edge.installer.hub import Hub
from edge.installer.page.app import create_app
from edge.installer.page.visit import Visit
from edge.installer.scanning import Around
from protocol.clock import SystemClock
from tests.integration.test_installations import CLEAR, Site, furnished, prepared
from tests.serving import Api, served
from tests.simulators.ports import free_port

WORD = "abcd-efgh-jkmn"
BOX = "http://box.local:8088"


@dataclass
class Page:
    """The page as a browser has it, at a site that the hub knows."""

    site: Site
    browser: httpx.AsyncClient
    file: Path

    async def see(self, path: str) -> str:
        answer = await self.browser.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def lose_the_hub(self) -> None:
        text = self.file.read_text()
        self.file.write_text(re.sub(r'api = ".*"', f'api = "http://127.0.0.1:{free_port()}"', text))


@pytest.fixture
async def page(api: Api, tmp_path: Path) -> AsyncIterator[Page]:
    site = await furnished(api)
    (tmp_path / "word").write_text(site.password)
    file = tmp_path / "site.toml"
    async with served(api.app) as url:
        file.write_text(
            f'[gateway]\nid = "g1"\n[hub]\nbroker = "mqtt://127.0.0.1:1883"\napi = "{url}"\npassword_file = "word"\n'
            '[devices.camera-1]\ndriver = "camera"\noptions = { url = "rtsp://192.0.2.1/" }\n'
            '[devices.camera-2]\ndriver = "camera"\noptions = { url = "rtsp://192.0.2.2/" }\n'
        )
        async with asyncio.TaskGroup() as tasks:
            visit = Visit(file, SystemClock(), Agents(file), Hub(file), Around(through=(), ports=()), tasks)
            app = create_app(visit, Access(WORD, SystemClock()), lambda: None, lambda: None)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=BOX, headers={"Origin": BOX}) as browser:
                await browser.post("/login", data={"password": WORD})
                await browser.get("/login?language=en")
                yield Page(site, browser, file)


def checked(text: str) -> set[tuple[str, str]]:
    """Return which views are chosen, by zone."""
    found = re.findall(r'<input type="radio" name="([a-z_]+)" value="([a-z]+)" required checked>', text)
    return {(zone, view) for zone, view in found}


async def test_what_was_registered_stands_in_the_form_again(page: Page) -> None:
    await prepared(page.site)
    listed = await page.see("/cameras")
    assert listed.count('class="card ok"') == 1
    assert listed.count('class="card waiting"') == 1
    shown = await page.see("/cameras/camera-1")
    assert checked(shown) == set(CLEAR.items())
    assert "Registered at the hub already: 林工" in shown
    assert "the sign was posted on 20" in shown
    assert "the purpose is not stated" in shown
    assert "a forbidden zone is unchecked" not in shown
    changed = CLEAR | {"toilet": "masked"}
    assert (await page.browser.post("/cameras/camera-1/zones", data=changed)).status_code == 303
    assert checked(await page.see("/cameras/camera-1")) == set(changed.items())


async def test_a_camera_that_the_hub_does_not_know_yet_has_an_empty_form(page: Page) -> None:
    shown = await page.see("/cameras/camera-2")
    assert checked(shown) == set()
    assert "Registered at the hub" not in shown
    assert 'class="problem"' not in shown


async def test_what_the_hub_said_before_stays_while_it_is_away(page: Page) -> None:
    await prepared(page.site)
    assert 'class="card ok"' in await page.see("/cameras")
    page.lose_the_hub()
    listed = await page.see("/cameras")
    assert 'class="card ok"' in listed
    assert "cannot be reached" in listed
    answer = await page.browser.get("/certificate")
    assert "cannot be reached" in answer.text


async def test_the_certificate_before_is_shown_with_its_verdict(page: Page) -> None:
    never = await page.see("/certificate")
    assert "AZ-" not in never
    assert 'class="problem"' not in never
    await prepared(page.site)
    made = await page.site.call("PUT", "/certificate", language="en")
    holds = await page.see("/certificate")
    assert made["number"] in holds
    assert made["verify"].replace("&", "&amp;") in holds
    assert "The certificate holds" in holds
    assert "集美小厨" in holds
    assert "The picture is sharp" in holds
    assert "/certificate/print" in holds
    await page.site.call("PUT", "", installer="陈工")
    outdated = await page.see("/certificate")
    assert made["number"] in outdated
    assert "Another installation was begun since" in outdated
    assert "/certificate/print" not in outdated
    assert 'href="/check"' in outdated


async def test_the_certificate_before_is_printed_once_more(page: Page) -> None:
    await prepared(page.site)
    made = await page.site.call("PUT", "/certificate", language="en")
    answer = await page.browser.post("/certificate/print", data={})
    assert answer.status_code == 303
    again = await page.see("/certificate")
    assert made["number"] in again
    assert "The certificate is made" in again
