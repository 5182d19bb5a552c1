"""The kiosk's page in a real browser: set up once, look up, complain, get a receipt, and forget who stood there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Route, expect

from tests.e2e.demonstration import Demo
from tests.e2e.test_command_centre import Watched

TAGS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}
SHOP = "集美"


@dataclass
class Kiosk:
    """A kiosk that was set up, its key, and its browser."""

    demo: Demo
    context: BrowserContext
    watched: Watched
    key: str
    place: str

    @property
    def page(self) -> Any:
        return self.watched.page

    def open(self, address: str = "/kiosk") -> None:
        self.page.goto(f"{self.demo.hub}{address}")
        expect(self.page.locator("body[data-ready]")).to_be_attached()

    def assert_accessible(self) -> None:
        assert Axe().run(self.page, options=TAGS).response["violations"] == []


@pytest.fixture
def kiosk(browser: Browser, demo: Demo, request: pytest.FixtureRequest) -> Iterator[Kiosk]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-60:].strip("-")
    made = demo.post("/gateways", {"gateway": name})
    assert made.status_code == 201
    asked = {"gateway": name, "device": "kiosk-1", "name": "浒井社区", "place": "一楼大厅"}
    key = demo.post("/kiosks", asked).json()["key"]
    context = browser.new_context(viewport={"width": 1080, "height": 1280}, has_touch=True)
    context.set_default_timeout(20_000)
    yield Kiosk(demo, context, Watched(context.new_page(), demo.hub), key, name)
    context.close()


def status(kiosk: Kiosk) -> str:
    found: str = next(
        each["status"] for each in kiosk.demo.get("/kiosks", limit="500")["items"] if each["gateway"] == kiosk.place
    )
    return found


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_somebody_complains_and_takes_a_receipt_home(kiosk: Kiosk, language: str, tmp_path: Path) -> None:
    page = kiosk.page
    kiosk.open(f"/kiosk?language={language}#key={kiosk.key}")
    assert kiosk.key not in page.url
    assert page.locator("html").get_attribute("lang") == language
    expect(page.locator("#here")).to_have_text("浒井社区 · 一楼大厅")
    assert status(kiosk) == "ok"
    kiosk.assert_accessible()
    page.locator("[data-view=tell]").tap()
    page.locator("#what").fill("外卖里有头发")
    page.locator("#place").fill("石鼓路 12 号")
    picture = tmp_path / "photo.png"
    Image.effect_noise((2400, 1800), 90).convert("RGB").save(picture)
    page.locator("#photo").set_input_files(picture)
    kiosk.assert_accessible()
    page.locator("#complaint button[type=submit]").tap()
    expect(page.locator("#receipt")).to_be_visible()
    number = page.locator("#number").inner_text()
    (entered,) = kiosk.demo.get("/complaints", receipt=number)["items"]
    assert (entered["what"], entered["place"], entered["named"]) == ("外卖里有头发", "石鼓路 12 号", False)
    assert entered["photo"] is not None
    kiosk.assert_accessible()
    shot = tmp_path / "receipt.png"
    page.locator("#qr").screenshot(path=shot)
    with Image.open(shot) as drawn:
        assert zxingcpp.read_barcodes(drawn)[0].text == number
    page.locator("#done").tap()
    expect(page.locator("#start")).to_be_visible()
    assert page.locator("#what").input_value() == ""
    kiosk.watched.assert_clean()


def test_what_is_touched_is_large_enough(kiosk: Kiosk) -> None:
    kiosk.open(f"/kiosk#key={kiosk.key}")
    for view in ("look", "tell"):
        kiosk.page.locator(f"[data-view={view}]").tap()
        for each in kiosk.page.locator("button:visible, input:visible:not([type=radio]), a.button:visible").all():
            box = each.bounding_box()
            assert box is not None
            assert box["height"] >= 48, each.evaluate("e => e.outerHTML")
        kiosk.open()


def test_a_business_is_looked_up_and_complained_of(kiosk: Kiosk) -> None:
    page = kiosk.page
    kiosk.open(f"/kiosk?language=en#key={kiosk.key}")
    page.locator("[data-view=look]").tap()
    page.locator("#q").fill(SHOP)
    page.locator("#search button").tap()
    first = page.locator("#results li").first
    expect(first).to_be_visible()
    kiosk.assert_accessible()
    name = first.locator("b").inner_text()
    first.locator("button").tap()
    expect(page.locator("#about b")).to_have_text(name)
    expect(page.locator("#place")).to_be_hidden()
    page.locator("#what").fill("no licence on the wall")
    page.locator("#complaint button[type=submit]").tap()
    number = page.locator("#number")
    expect(number).to_be_visible()
    (entered,) = kiosk.demo.get("/complaints", receipt=number.inner_text())["items"]
    assert entered["subject"] is not None
    kiosk.watched.assert_clean()


def test_nothing_stays_of_who_went_away(kiosk: Kiosk) -> None:
    page = kiosk.page
    page.clock.install()
    kiosk.open(f"/kiosk?language=en#key={kiosk.key}")
    page.locator("[data-view=tell]").tap()
    page.locator("#what").fill("a secret")
    page.clock.fast_forward(91_000)
    expect(page.locator("#idle")).to_be_visible()
    page.locator("#stay").tap()
    expect(page.locator("#idle")).to_be_hidden()
    assert page.locator("#what").input_value() == "a secret"
    page.clock.fast_forward(91_000)
    expect(page.locator("#idle")).to_be_visible()
    page.clock.fast_forward(16_000)
    expect(page.locator("#start")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert page.locator("#what").input_value() == ""
    kiosk.watched.assert_clean()


def test_a_broken_connection_counts_nothing_twice(kiosk: Kiosk) -> None:
    page = kiosk.page
    kiosk.open(f"/kiosk?language=en#key={kiosk.key}")
    page.locator("[data-view=tell]").tap()
    page.locator("#what").fill("sent twice")
    page.locator("#place").fill("here")
    lost: list[int] = []

    def lose_the_answer(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/api/v1/kiosk/complaints", lose_the_answer)
    page.locator("#complaint button[type=submit]").tap()
    expect(page.locator("#complaint-problem")).to_be_visible()
    assert lost == [201]
    page.locator("#complaint button[type=submit]").tap()
    expect(page.locator("#receipt")).to_be_visible()
    entered = [each for each in kiosk.demo.get("/complaints")["items"] if each["what"] == "sent twice"]
    assert [each["receipt"] for each in entered] == [page.locator("#number").inner_text()]


def test_a_kiosk_without_a_key_asks_its_installer_for_one(kiosk: Kiosk) -> None:
    page = kiosk.page
    kiosk.open("/kiosk?language=en")
    expect(page.locator("#setup")).to_be_visible()
    kiosk.assert_accessible()
    page.locator("#key").fill("dw_wrong")
    page.locator("#key-form button").tap()
    expect(page.locator("#setup .problem")).to_be_visible()
    page.locator("#key").fill(kiosk.key)
    page.locator("#key-form button").tap()
    expect(page.locator("#start")).to_be_visible()
    assert status(kiosk) == "ok"
    kiosk.open()
    expect(page.locator("#start")).to_be_visible()
