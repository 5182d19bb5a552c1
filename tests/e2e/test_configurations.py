"""The page of configurations in a real browser: what is asked of a box, what it says, and in what these differ."""

import tomllib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.e2e.office import DESK, PHONE, Office, Seat, seated

FIRST = """\
[devices.camera-1]
driver = "camera"
options = { url = "rtsp://192.168.1.20/main", fps = 5 }
"""
SECOND = """\
[devices.camera-1]
driver = "camera"
options = { url = "rtsp://192.168.1.64/main" }
[devices.printer-1]
driver = "printer"
options = { link = { kind = "tcp", host = "192.168.1.30" } }
[health]
interval_s = 30
"""
REFUSAL = "devices.printer-1: no driver 'printer'; installed: camera, gps.nmea\nhealth.interval_s: at most 10"


@pytest.fixture
def seat(browser: Browser, office: Office) -> Iterator[Seat]:
    with seated(browser, office) as seat:
        yield seat


def standing(page: Page, gateway: str, expected: str) -> None:
    """Both the list and the box's own part say the same."""
    expect(page.locator(f"#gateway-list [data-gateway='{gateway}']")).to_have_attribute("data-standing", expected)
    expect(page.locator(f"#config[data-gateway='{gateway}']")).to_have_attribute("data-standing", expected)


def write(page: Page, content: str, reason: str) -> None:
    page.locator("#config-content").fill(content)
    page.locator("#config-reason").fill(reason)
    page.locator("#editor [type=submit]").click()


@pytest.mark.parametrize(("language", "screen"), [("zh-CN", PHONE), ("en", DESK)])
def test_a_refused_bundle_says_why_and_is_rolled_back(
    browser: Browser, office: Office, language: str, screen: ViewportSize
) -> None:
    gateway = f"site-{language.lower()}"
    box = office.hub.enrolled(gateway)
    with seated(browser, office, language=language, screen=screen) as seat:
        page = seat.page
        seat.go(f"/configs#{gateway}")
        standing(page, gateway, "unmanaged")
        seat.assert_fits()
        page.locator("[data-key=change]").click()
        seat.assert_fits()
        write(page, FIRST, "first devices")
        standing(page, gateway, "pending")
        first = page.locator("#config .sides dd.code").first.inner_text()
        assert first.startswith("1-")
        office.reports(box, bundle=first, config=tomllib.loads(FIRST))
        standing(page, gateway, "in_step")
        expect(page.locator("#same")).to_be_visible()

        second = office.asks(gateway, SECOND, "camera renumbered, printer added")
        standing(page, gateway, "pending")
        office.reports(box, bundle=first, outcome="refused", about=second, detail=REFUSAL, config=tomllib.loads(FIRST))
        standing(page, gateway, "refused")
        assert page.locator("#config-why").inner_text() == REFUSAL
        expect(page.locator(".callout .what")).to_contain_text(second)
        seat.assert_fits()
        page.locator("[data-key='back 1']").click()
        expect(page.locator("#config-content")).to_have_value(FIRST)
        page.locator("#editor [type=submit]").click()
        standing(page, gateway, "pending")
        third = office.hub.api.get(f"/configs/{gateway}").json()["desired"]
        assert third["content"] == FIRST
        assert third["version"] == 3
        office.reports(box, bundle=third["bundle"], config=tomllib.loads(FIRST))
        standing(page, gateway, "in_step")
        expect(page.locator("[data-version='3'] .mark.running")).to_be_visible()
        expect(page.locator("[data-version='2'] .mark")).to_have_count(0)
        seat.assert_fits()
        seat.assert_clean()


def test_the_difference_is_seen_device_by_device(seat: Seat) -> None:
    page, office = seat.page, seat.office
    box = office.hub.enrolled("differs")
    office.reports(box, config=tomllib.loads(FIRST))
    office.asks("differs", SECOND)
    seat.go("/configs#differs")
    camera = page.locator(".differing[data-device='camera-1']")
    url = camera.locator("[data-path='devices.camera-1.options.url']")
    assert "changed" in (url.get_attribute("class") or "")
    expect(url.locator(".now")).to_have_text('"rtsp://192.168.1.20/main"')
    expect(url.locator(".wanted")).to_have_text('"rtsp://192.168.1.64/main"')
    fps = camera.locator("[data-path='devices.camera-1.options.fps']")
    assert "removed" in (fps.get_attribute("class") or "")
    expect(fps.locator(".wanted")).to_have_text("not set")
    printer = page.locator(".differing[data-device='printer-1'] tr.added")
    expect(printer.locator(".wanted")).to_contain_text('"host": "192.168.1.30"')
    expect(page.locator(".differing[data-device=''] tr.added")).to_contain_text("health")
    shown = page.locator("#config h3 .number").inner_text()
    assert shown == str(len(office.hub.api.get("/configs/differs").json()["differences"])) == "4"
    asked_at = url.locator(".seen").get_attribute("title")
    office.asks("differs", "# a remark\n" + SECOND)
    expect(page.locator("[data-version='2']")).to_be_visible()
    assert url.locator(".seen").get_attribute("title") == asked_at
    seat.assert_clean()


def test_a_box_that_went_back_says_from_what(seat: Seat) -> None:
    page, office = seat.page, seat.office
    box = office.hub.enrolled("went-back")
    bundle = office.asks("went-back", FIRST)
    seat.go("/configs#went-back")
    office.reports(box, bundle=bundle, outcome="trying", about=bundle, config=tomllib.loads(FIRST))
    standing(page, "went-back", "trying")
    office.reports(box, outcome="returned", about=bundle, detail="the hub was not heard within 120 s")
    standing(page, "went-back", "returned")
    expect(page.locator("#config-why")).to_have_text("the hub was not heard within 120 s")
    seat.assert_clean()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("= 1", "This is not TOML"),
        ('[hub]\nbroker = "mqtt://elsewhere"', "stay on the box"),
        ('[devices.a]\ndriver = "camera"\noptions = { password = "hunter2" }', "name a file of the box"),
    ],
)
def test_what_no_box_can_run_is_not_sent(seat: Seat, content: str, said: str) -> None:
    page = seat.page
    if seat.office.hub.api.get("/configs/unsent").status_code == 404:
        seat.office.hub.enrolled("unsent")
    seat.go("/configs#unsent")
    page.locator("[data-key=change]").click()
    page.locator("#config-content").fill(content)
    page.locator("#editor [type=submit]").click()
    expect(page.locator("#editor .problem")).to_contain_text("Say why")
    expect(page.locator("#config-reason")).to_be_focused()
    write(page, content, "a try")
    expect(page.locator("#editor .problem")).to_contain_text(said)
    expect(page.locator("#config-content")).to_have_value(content)
    assert seat.office.hub.api.get("/configs/unsent").json()["desired"] is None
    seat.assert_clean(422)


def test_nobody_overwrites_what_they_have_not_seen(seat: Seat) -> None:
    page, office = seat.page, seat.office
    office.hub.enrolled("shared")
    office.asks("shared", FIRST)
    seat.go("/configs#shared")
    page.locator("[data-key=change]").click()
    office.asks("shared", "# theirs\n" + FIRST, "somebody else's")
    write(page, "# mine\n" + FIRST, "mine")
    expect(page.locator("#editor .newest")).to_contain_text("somebody else's")
    expect(page.locator("#editor .newest pre")).to_contain_text("# theirs")
    expect(page.locator("#config-content")).to_have_value("# mine\n" + FIRST)
    page.locator("#editor [type=submit]").click()
    expect(page.locator("#editor")).to_be_hidden()
    expect(page.locator("[data-version='3'] .mark.desired")).to_be_visible()
    desired = office.hub.api.get("/configs/shared").json()["desired"]
    assert desired["content"].startswith("# mine")
    seat.assert_clean(412)


def test_what_is_typed_stays_while_boxes_report(seat: Seat) -> None:
    page, office = seat.page, seat.office
    box = office.hub.enrolled("busy")
    bundle = office.asks("busy", FIRST)
    seat.go("/configs#busy")
    page.locator("[data-key=change]").click()
    page.locator("#config-reason").fill("half a sent")
    office.reports(box, bundle=bundle, config=tomllib.loads(FIRST))
    standing(page, "busy", "in_step")
    expect(page.locator("#config-reason")).to_have_value("half a sent")
    page.keyboard.press("Escape")
    expect(page.locator("#editor")).to_be_hidden()
    expect(page.locator("[data-key=change]")).to_be_focused()
    seat.assert_clean()


def test_boxes_are_chosen_by_keyboard_and_kept_in_the_address(seat: Seat) -> None:
    page, office = seat.page, seat.office
    for name in ("by-key-1", "by-key-2"):
        office.hub.enrolled(name)
    seat.go("/configs#by-key-1")
    expect(page.locator("#config[data-gateway='by-key-1']")).to_be_visible()
    page.locator("#gateway-list [data-gateway='by-key-1']").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#config[data-gateway='by-key-2']")).to_be_visible()
    expect(page.locator("#gateway-list [data-gateway='by-key-2']")).to_be_focused()
    assert page.url.endswith("#by-key-2")
    seat.go("/enrolments")
    page.locator("[data-box='by-key-1'] a").click()
    expect(page.locator("#config[data-gateway='by-key-1']")).to_be_visible()
    seat.assert_clean()
