"""The page of work orders in a real browser, with boxes that use their codes at the hub's real door."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.e2e.office import DESK, PHONE, Box, Office, Seat, seated


@pytest.fixture
def seat(browser: Browser, office: Office) -> Iterator[Seat]:
    with seated(browser, office) as seat:
        yield seat


def make(page: Page, gateway: str, *, compare: bool = True) -> str:
    """Make a work order by its form; return its code."""
    page.locator("#new-order").click()
    page.locator("#order-gateway").fill(gateway)
    page.locator("#order [name=confirm]").set_checked(compare)
    page.locator("#order [type=submit]").click()
    return page.locator("#order-code").inner_text()


def leave_ticket(page: Page) -> None:
    page.locator("#order .detail-head button").click()
    page.locator("#ask .danger").click()
    expect(page.locator("#order")).to_be_hidden()


def card(gateway: str) -> str:
    return f"#order-list [data-gateway='{gateway}']"


@pytest.mark.parametrize(("language", "screen"), [("zh-CN", DESK), ("en", PHONE)])
def test_a_work_order_leads_to_a_certificate(
    browser: Browser, office: Office, language: str, screen: ViewportSize, tmp_path: Path
) -> None:
    gateway = f"kitchen-{language.lower()}"
    subject = {"name": f"集美小厨 {language}", "address": "杏林路 8 号", "latitude": 24.57, "longitude": 118.1}
    assert office.hub.api.post("/subjects", json=subject).status_code == 201
    with seated(browser, office, language=language, screen=screen) as seat:
        page = seat.page
        seat.go("/enrolments")
        seat.assert_fits()
        page.locator("#new-order").click()
        seat.assert_fits()
        page.locator("#order-gateway").fill(gateway)
        page.locator("#order-subject").fill("集美小厨 " + language)
        option = page.locator("#order-subjects option")
        expect(option).to_be_attached()
        page.locator("#order-subject").fill(option.get_attribute("value") or "")
        page.locator("#order-note").fill("后厨北墙")
        page.locator("#order [type=submit]").click()
        code = page.locator("#order-code").inner_text()
        assert re.fullmatch(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){3}", code)
        expect(page.locator("#order .countdown .left")).to_contain_text(re.compile(r"1[45]:[0-5]\d"))
        fingerprint = page.locator("#order-fingerprint").inner_text().replace(" ", "")
        assert office.hub.api.get("/authority").json()["fingerprint"].startswith(fingerprint)
        ticket = read_code(page, tmp_path)
        assert ticket.endswith(f"/e/{code.replace('-', '')}#{fingerprint}")
        seat.assert_fits()

        box = Box(office.hub)
        used = box.use(code)
        assert used.status_code == 202, used.text
        expect(page.locator("#order .digits")).to_have_text(used.json()["check"])
        expect(page.locator("#order-code")).to_have_count(0)
        expect(page.locator("#order-qr")).to_have_count(0)
        seat.assert_fits()
        page.locator("#order-check").fill(used.json()["check"])
        page.keyboard.press("Enter")
        expect(page.locator("#order .good")).to_be_visible()
        assert box.use(code).json()["certificate"].startswith("-----BEGIN CERTIFICATE-----")
        expect(page.locator(f"[data-box='{gateway}'] .by")).to_be_attached()
        seat.assert_fits()
        page.keyboard.press("Escape")
        expect(page.locator("#order")).to_be_hidden()
        expect(page.locator(card(gateway))).to_be_focused()
        expect(page.locator(card(gateway))).to_have_attribute("data-state", "issued")
        expect(page.locator(card(gateway))).to_contain_text("后厨北墙")
        seat.assert_clean()


def read_code(page: Page, folder: Path) -> str:
    shot = folder / "ticket.png"
    page.locator("#order-qr").screenshot(path=shot)
    with Image.open(shot) as drawn:
        return zxingcpp.read_barcodes(drawn)[0].text


def test_a_code_is_shown_once_and_not_lost_by_a_slip(seat: Seat) -> None:
    page = seat.page
    seat.go("/enrolments")
    code = make(page, "once")
    page.keyboard.press("Escape")
    expect(page.locator("#ask")).to_be_visible()
    page.keyboard.press("Enter")  # what has the focus is to go back
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#order-code")).to_have_text(code)
    leave_ticket(page)
    page.locator(card("once")).click()
    expect(page.locator("#order")).to_contain_text("stored nowhere")
    assert code not in page.content()
    page.locator("#order .danger").click()
    expect(page.locator("#order .problem")).to_contain_text("Cancelled")
    assert Box(seat.office.hub).use(code).status_code == 410
    seat.assert_clean()


def test_a_code_whose_time_is_over_says_so_and_is_of_no_use(seat: Seat) -> None:
    page = seat.page
    page.clock.install()
    seat.go("/enrolments")
    code = make(page, "too-late")
    seat.office.let_expire("too-late")
    page.clock.fast_forward("16:00")
    expect(page.locator("#order .problem")).to_contain_text("15 minutes are over")
    assert code not in page.content()
    assert page.locator("#order-qr").count() == 0
    expect(page.locator(card("too-late"))).to_have_attribute("data-state", "expired")
    refused = Box(seat.office.hub).use(code)
    assert (refused.status_code, refused.json()["rule"]) == (410, "enrolments.expired")
    page.locator("#order .primary").click()
    expect(page.locator("#order-gateway")).to_have_value("too-late")
    page.locator("#order [type=submit]").click()
    expect(page.locator("#order-code")).not_to_have_text(code)


def test_other_digits_are_refused_and_so_is_the_box(seat: Seat) -> None:
    page = seat.page
    seat.go("/enrolments")
    code = make(page, "stranger")
    box = Box(seat.office.hub)
    right = box.use(code).json()["check"]
    page.locator("#order-check").fill("12345")
    page.locator("#order [type=submit]").click()
    expect(page.locator("#order .problem")).to_contain_text("Six digits")
    page.locator("#order-check").fill(f"{(int(right) + 1) % 1_000_000:06}")
    page.locator("#order [type=submit]").click()
    expect(page.locator("#order .problem")).to_contain_text("other digits")
    assert box.use(code).status_code == 202
    page.locator("#order .danger").click()
    expect(page.locator("#order .problem")).to_contain_text("not the right box")
    assert box.use(code).status_code == 403
    seat.assert_clean(409)


def test_without_comparing_the_digits_are_shown_afterwards(seat: Seat) -> None:
    page = seat.page
    seat.go("/enrolments")
    code = make(page, "at-once", compare=False)
    used = Box(seat.office.hub).use(code)
    assert used.status_code == 200
    expect(page.locator("#order .digits")).to_have_text(used.json()["check"])
    expect(page.locator("#order .good")).to_be_visible()
    seat.assert_clean()


def test_a_form_that_cannot_be_is_told_what_to_mend(seat: Seat) -> None:
    page, problem = seat.page, seat.page.locator("#order .problem")
    seat.office.hub.enrolled("taken")
    seat.go("/enrolments")
    page.locator("#new-order").click()
    page.locator("#order-gateway").fill("Küche 1")
    page.keyboard.press("Enter")
    expect(problem).to_contain_text("Small letters")
    page.locator("#order-gateway").fill("taken")
    page.locator("#order-subject").fill("nowhere at all")
    page.keyboard.press("Enter")
    expect(problem).to_contain_text("Choose a subject")
    page.locator("#order-subject").fill("")
    page.keyboard.press("Enter")
    expect(problem).to_contain_text("a box of this name already")
    expect(page.locator("#order [name=replace]")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#order-code")).to_be_visible()
    seat.assert_clean(409)


def test_a_box_is_revoked_by_keyboard_and_loses_its_door(seat: Seat) -> None:
    page, office = seat.page, seat.office
    identity = office.hub.enrolled("leaving")
    assert office.call(identity, "POST", "/confirm").status_code == 200
    seat.go("/enrolments")
    box = page.locator("[data-box=leaving]")
    box.locator("[data-key='revoke leaving']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_visible()
    seat.assert_fits()
    page.keyboard.press("Escape")
    expect(page.locator("#ask")).to_be_hidden()
    assert office.call(identity, "POST", "/confirm").status_code == 200
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(box).to_have_attribute("data-status", "revoked")
    assert office.call(identity, "POST", "/confirm").status_code == 401
    seat.assert_clean()


def test_one_certificate_is_revoked_and_the_box_stays(seat: Seat) -> None:
    page, office = seat.page, seat.office
    identity = office.hub.enrolled("stays")
    seat.go("/enrolments")
    box = page.locator("[data-box=stays]")
    box.locator("summary").click()
    line = box.locator(f"[data-serial='{identity.serial}']")
    expect(line).to_have_attribute("data-state", "standing")
    line.locator("button").click()
    page.locator("#ask .danger").click()
    expect(line).to_have_attribute("data-state", "revoked")
    expect(box).to_have_attribute("data-status", "offline")
    assert office.call(identity, "POST", "/confirm").status_code == 401
    seat.assert_clean()


def test_what_others_do_is_seen_as_it_happens(seat: Seat) -> None:
    page, hub = seat.page, seat.office.hub
    seat.go("/enrolments")
    order = hub.order("elsewhere", confirm=True)
    expect(page.locator(card("elsewhere"))).to_have_attribute("data-state", "open")
    Box(hub).use(order["code"])
    expect(page.locator(card("elsewhere"))).to_have_attribute("data-state", "waiting")
    hub.api.post(f"/enrolments/{order['id']}/refuse")
    expect(page.locator(card("elsewhere"))).to_have_attribute("data-state", "refused")
    identity = hub.enrolled("elsewhere-2")
    expect(page.locator("[data-box=elsewhere-2] .by")).to_contain_text("Certificate until")
    hub.api.delete(f"/certificates/{identity.serial}")
    expect(page.locator("[data-box=elsewhere-2] .by")).to_contain_text("No certificate")
    seat.assert_clean()


def test_a_key_that_may_not_is_told_so(browser: Browser, office: Office) -> None:
    made = office.hub.api.post("/api-keys", json={"name": "reader", "scopes": ["devices:read", "stream:read"]})
    assert made.status_code == 201, made.text
    with seated(browser, office) as seat:
        seat.page.context.clear_cookies()
        seat.log_in(made.json()["key"])
        seat.watched.errors.clear()  # of the command centre, which it may not see either
        seat.go("/enrolments")
        expect(seat.page.locator("#trouble")).to_have_text("This key may not do that.")
        seat.assert_clean(403)


def test_who_has_not_logged_in_sees_no_page(browser: Browser, office: Office) -> None:
    context = browser.new_context()
    page = context.new_page()
    for path in ("/enrolments", "/configs"):
        page.goto(f"{office.hub.ready['hub']}{path}")
        expect(page).to_have_url(re.compile(r"/login$"))
    context.close()


def test_the_language_is_changed_where_one_is(seat: Seat) -> None:
    seat.go("/enrolments")
    seat.page.locator("header a[lang='zh-CN']").click()
    expect(seat.page).to_have_url(f"{seat.url}/enrolments")
    expect(seat.page.locator("#orders-title")).to_have_text("安装工单")
    answer = seat.page.request.get(f"{seat.url}/language/en", params={"back": "//elsewhere.example/"})
    assert answer.status == 422
