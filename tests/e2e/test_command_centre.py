"""The command-centre page in a real browser, on a demonstration that really runs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, expect

from tests.e2e.demonstration import Demo

ALERT_MS = 75_000
VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.violatedDirective + " " + event.blockedURI);
});
"""


class Watched:
    """A page and everything that it should not have done."""

    def __init__(self, page: Page, hub: str) -> None:
        self.page = page
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.add_init_script(VIOLATIONS)
        page.on("request", lambda request: self._requested(request, hub))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    def _requested(self, request: Request, hub: str) -> None:
        if not request.url.startswith((hub, "data:", "blob:")):
            self.outside.append(request.url)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate("() => window.diwang?.ready ? window.diwang.drawn() : {}")
        return found

    def assert_clean(self) -> None:
        assert self.outside == []
        assert self.page.evaluate("() => window.violations") == []
        assert self.errors == []


@pytest.fixture(params=["zh-CN", "en"])
def watched(request: pytest.FixtureRequest, browser: Browser, demo: Demo) -> Iterator[Watched]:
    context = browser.new_context(locale=request.param, viewport={"width": 1440, "height": 900})
    watched = Watched(context.new_page(), demo.hub)
    watched.page.goto(demo.hub)
    expect(watched.page).to_have_url(re.compile(r"/login$"))
    watched.page.locator("#key").fill(demo.api_key)
    watched.page.locator("button[type=submit]").click()
    watched.page.wait_for_url(f"{demo.hub}/")
    yield watched
    context.close()


def test_the_page_shows_the_district_and_its_alerts_live(watched: Watched) -> None:
    page = watched.page
    expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=15_000)
    expect(page.locator(".card[data-type='camera.covered']")).to_be_visible(timeout=ALERT_MS)
    page.locator("#tab-devices").click()
    expect(page.locator("#device-list tr[data-device='patrol-gps']")).to_be_visible()
    drawn = watched.state()
    assert drawn["grids"] >= 4
    assert drawn["devices"] >= 3
    assert drawn["subjects"] >= 20
    before = drawn["trail"]
    page.wait_for_timeout(15_000)
    assert watched.state()["trail"] > before
    watched.assert_clean()


def test_an_alert_opens_with_its_picture_and_what_may_be_done(watched: Watched) -> None:
    page = watched.page
    page.locator(".card[data-type='camera.covered']").first.click(timeout=ALERT_MS)
    picture = page.locator("#detail img").first
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("image => image.naturalWidth") >= 320
    expect(page.locator("#detail .law")).to_be_visible()
    watched.assert_clean()


def test_the_page_is_accessible(watched: Watched) -> None:
    page = watched.page
    page.locator(".card").first.click(timeout=ALERT_MS)
    expect(page.locator("#detail")).to_be_visible()
    axe = Axe()
    tags = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}
    assert axe.run(page, options=tags).response["violations"] == []
    page.locator("#tab-devices").click()
    assert axe.run(page, options=tags).response["violations"] == []


def test_the_login_page_is_accessible_and_says_no(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(locale="en")
    watched = Watched(context.new_page(), demo.hub)
    watched.page.goto(f"{demo.hub}/login")
    assert Axe().run(watched.page).response["violations"] == []
    watched.page.locator("#key").fill("dw_nobody_nothing")
    watched.page.locator("button[type=submit]").click()
    expect(watched.page.locator("#problem")).to_be_visible()
    assert watched.outside == []
    assert watched.page.evaluate("() => window.violations") == []
    context.close()


def test_eight_tabs_share_one_stream(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(locale="en", viewport={"width": 1440, "height": 900})
    first = context.new_page()
    first.goto(f"{demo.hub}/login")
    first.locator("#key").fill(demo.api_key)
    first.locator("button[type=submit]").click()
    first.wait_for_url(f"{demo.hub}/")
    tabs = [first, *(context.new_page() for _ in range(7))]
    for tab in tabs[1:]:
        tab.goto(demo.hub)
    for tab in tabs:
        expect(tab.locator("#live")).to_have_attribute("data-state", "live", timeout=20_000)
    context.close()
