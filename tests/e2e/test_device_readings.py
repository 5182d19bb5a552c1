"""A type of device that was entered by JSON alone: what a stranger's box measures is shown with label and unit."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.demonstration import Demo
from tests.e2e.test_command_centre import Watched

JOIN = Path(__file__).parents[2] / "docs" / "join.py"


@pytest.mark.parametrize(("language", "shown"), [("zh-CN", "温度 3.5 °C"), ("en", "Temperature 3.5 °C")])
def test_a_reading_is_shown_with_its_unit(browser: Browser, demo: Demo, language: str, shown: str) -> None:
    name = f"fridge-box-{language.lower()}"
    made = demo.post("/gateways", {"gateway": name}).json()
    label = {"zh-CN": "温度", "en": "Temperature"}
    reading = {"type": "number", "unit": "°C", "label": label}
    model = {"model": f"fridge-{language.lower()}", "title": label, "readings": {"temperature_c": reading}}
    assert demo.post("/device-models", model).status_code == 201
    broker = urlsplit(demo.broker)
    script = [sys.executable, str(JOIN), str(broker.hostname), str(broker.port), name, made["password"], "3.5"]
    assert subprocess.run(script, timeout=40, check=False).returncode == 0
    changed = httpx.patch(
        f"{demo.hub}/api/v1/devices/{name}/fridge-1",
        json={"model": model["model"]},
        headers={"Authorization": f"Bearer {demo.api_key}", "If-Match": '"1"'},
    )
    assert changed.status_code == 200, changed.text
    context = browser.new_context(locale=language, viewport={"width": 1440, "height": 900})
    watched = Watched(context.new_page(), demo.hub)
    page = watched.page
    page.goto(f"{demo.hub}/login")
    page.locator("#key").fill(demo.api_key)
    page.locator("button[type=submit]").click()
    page.locator("#tab-devices").click()
    row = page.locator("#device-list tr", has_text=re.compile(re.escape(name)))
    expect(row.locator(".readings")).to_have_text(shown)
    watched.assert_clean()
    context.close()
