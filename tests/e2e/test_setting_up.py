"""The first visit to a new hub in a real browser: from the console's token to the command centre."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ViewportSize, expect

from tests.e2e.office import DESK, PATIENCE_MS, PHONE
from tests.e2e.test_command_centre import Watched
from tests.integration.test_hub_process import running


@pytest.mark.parametrize(("language", "screen"), [("zh-CN", DESK), ("en", PHONE)])
def test_the_console_opens_a_new_hub(browser: Browser, language: str, screen: ViewportSize, tmp_path: Path) -> None:
    with running(tmp_path / "data") as hub, browser.new_context(locale=language, viewport=screen) as visit:
        page = visit.new_page()
        page.set_default_timeout(PATIENCE_MS)
        watched = Watched(page, hub.ready["hub"])
        page.goto(hub.ready["hub"])
        page.wait_for_url("**/setup")
        violations = Axe().run(page).response["violations"]
        assert [each["id"] for each in violations if each["impact"] in {"serious", "critical"}] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]

        page.locator("#who").fill("局办公室")
        page.locator("#token").fill("0000-0000-0000-0000")
        page.locator("#setup [type=submit]").click()
        expect(page.locator("#problem")).to_be_visible()
        assert hub.token is not None
        page.locator("#token").fill(hub.token.lower())
        page.locator("#setup [type=submit]").click()
        expect(page.locator("#made")).to_be_visible()
        key = page.locator("#key").input_value()
        assert hub.get("/api/v1/whoami", key).json()["name"] == "局办公室"

        other = visit.new_page()
        other.goto(f"{hub.ready['hub']}/setup")
        other.wait_for_url("**/login")
        page.locator("#made [type=submit]").click()
        page.wait_for_url(f"{hub.ready['hub']}/")
        expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        (refused,) = watched.errors
        assert "status of 403" in refused
        watched.errors.clear()
        watched.assert_clean()
