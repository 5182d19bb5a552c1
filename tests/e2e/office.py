"""An office with a hub of its own: who sits there has its pages before them, and boxes that answer as boxes do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.e2e.test_command_centre import Watched
from tests.integration.test_hub_process import running
from tests.simulators.new_box import NewBox
from tests.simulators.secure_hub import Identity, SecureHub

PATIENCE_MS: Final = 30_000
DESK: Final[ViewportSize] = {"width": 1440, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
_RULES: Final = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}


@dataclass
class Box:
    """A box on site, as far as the hub sees it."""

    hub: SecureHub
    secret: NewBox = field(default_factory=NewBox)

    def use(self, code: str) -> httpx.Response:
        """Use a one-time code as `diwang edge enrol` does."""
        with httpx.Client(verify=self.hub.context(), trust_env=False, timeout=30) as door:
            body = {"code": code, "request": self.secret.request}
            return door.post(f"{self.hub.ready['door']}/gateway/v1/enrol", json=body)


class Office:
    """The hub, its API with every right, and the folder that it keeps everything in."""

    def __init__(self, hub: SecureHub, key: str, data: Path) -> None:
        self.hub = hub
        self.key = key
        self._data = data

    def let_expire(self, gateway: str) -> None:
        """Have the time of a gateway's work orders be over, without waiting for it."""
        with closing(sqlite3.connect(self._data / "hub.db", timeout=30)) as database, database:
            changed = database.execute("UPDATE enrolment SET expires_at = created_at WHERE gateway = ?", (gateway,))
            assert changed.rowcount == 1

    def asks(self, gateway: str, content: str, reason: str = "by script") -> str:
        """Say by the API what a gateway is to run; return the bundle."""
        tag = self.hub.api.get(f"/configs/{gateway}").headers["ETag"]
        body = {"content": content, "reason": reason}
        answer = self.hub.api.put(f"/configs/{gateway}", json=body, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text
        bundle: str = answer.json()["desired"]["bundle"]
        return bundle

    def call(self, identity: Identity, method: str, path: str, **body: Any) -> httpx.Response:
        """Call the hub's door with a gateway's certificate."""
        with httpx.Client(verify=self.hub.context(identity), trust_env=False, timeout=30) as door:
            return door.request(method, f"{self.hub.ready['door']}/gateway/v1{path}", json=body or None)

    def reports(self, identity: Identity, **said: Any) -> None:
        """Have a box say what it runs."""
        body = {"bundle": "", "outcome": "running", "agent": "0.1.0", "config": {}, **said}
        answer = self.call(identity, "PUT", "/configs/reported", **body)
        assert answer.status_code == 204, answer.text


@contextmanager
def opened(folder: Path) -> Iterator[Office]:
    """Run a hub with its TLS listeners."""
    (folder / "clients").mkdir()
    with running(folder / "data") as process:
        assert process.first_key is not None
        with closing(SecureHub(process.ready, process.first_key, folder / "clients")) as hub:
            yield Office(hub, process.first_key, folder / "data")


class Seat:
    """Somebody before a page of the hub."""

    def __init__(self, page: Page, office: Office) -> None:
        self.office = office
        self.url = office.hub.ready["hub"]
        self.watched = Watched(page, self.url)
        self.page = page
        page.set_default_timeout(PATIENCE_MS)

    def log_in(self, key: str) -> None:
        self.page.goto(f"{self.url}/login")
        self.page.locator("#key").fill(key)
        self.page.locator("button[type=submit]").click()
        self.page.wait_for_url(f"{self.url}/")

    def go(self, path: str) -> None:
        """Open a page, and wait until it follows the live stream."""
        self.page.goto(f"{self.url}{path}")
        expect(self.page.locator("body[data-ready]")).to_be_attached(timeout=PATIENCE_MS)
        expect(self.page.locator("#live")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)

    def assert_fits(self) -> None:
        """Nothing on the page is wider than the screen, and everybody can use it."""
        width = self.page.viewport_size["width"] if self.page.viewport_size else 0
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(self.page, options=_RULES).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []

    def assert_clean(self, *refusals: int) -> None:
        """Nothing came from outside, no policy was broken, no script failed; of answers, these alone said no."""
        refused = [each for each in self.watched.errors if "the server responded with a status of" in each]
        assert [int(each.partition("status of ")[2][:3]) for each in refused] == list(refusals)
        self.watched.errors = [each for each in self.watched.errors if each not in refused]
        self.watched.assert_clean()


@contextmanager
def seated(browser: Browser, office: Office, *, language: str = "en", screen: ViewportSize = DESK) -> Iterator[Seat]:
    """Sit down before a page, logged in with every right."""
    with closing(browser.new_context(locale=language, viewport=screen)) as context:
        seat = Seat(context.new_page(), office)
        seat.log_in(office.key)
        yield seat
