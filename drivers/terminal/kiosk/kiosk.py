"""An open kiosk: the browser started, its page opened, and asked again and again whether it is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from drivers.contract import Answer, Health, Raw, Report
from drivers.terminal.kiosk.browser import Browser, running
from drivers.terminal.kiosk.options import KioskOptions
from protocol.clock import Clock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Reading

_START_S: Final = 30.0
_READY: Final = "Boolean(document.body && document.body.dataset.ready)"
"""The page says so of itself when its first words were loaded and are shown."""

# Incognito: nothing that people enter is written to the box's disk.
_ARGUMENTS: Final = (
    "--remote-debugging-pipe",
    "--kiosk",
    "--incognito",
    "--no-first-run",
    "--noerrdialogs",
    "--disable-infobars",
    "--disable-pinch",
    "--overscroll-history-navigation=0",
    "--disable-features=Translate",
    "--disable-background-networking",
    "--disable-component-update",
)


class Kiosk:
    """A `Reports` and `Obeys` driver: its only command, `reload`, opens the page anew."""

    commands = frozenset({"reload"})

    def __init__(self, device: str, browser: Browser, session: str, options: KioskOptions, clock: Clock) -> None:
        self.device = device
        self._browser = browser
        self._session = session
        self._options = options
        self._clock = clock
        self._turn = asyncio.Lock()
        self._ready: bool | None = None
        self._told_at = self._loaded_at = clock.monotonic()

    async def reports(self) -> AsyncIterator[Report | Health | Raw]:
        """Yield whether the page is ready.

        Raises DeviceUnreachableError when the browser is gone or its page hangs: it is started anew then.
        """
        while True:
            ready = await self._is_ready()
            now = self._clock.monotonic()
            if ready is not self._ready:
                yield Health(DeviceState.OK) if ready else Health(DeviceState.DEGRADED, "the page does not load")
            if ready is not self._ready or now - self._told_at >= self._options.tell_every_s:
                self._ready, self._told_at = ready, now
                yield Report(Reading(device=self.device, at=self._clock.now(), values={"page_ready": ready}))
            if not ready and now - self._loaded_at >= self._options.reload_every_s:
                await self.load()
            await asyncio.sleep(self._options.check_every_s if ready else min(1.0, self._options.check_every_s))

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if name not in self.commands:
            raise DeviceRefusedError(f"a kiosk does not know {name!r}")
        if args:
            raise DeviceRefusedError(f"{name} takes no arguments, got {', '.join(sorted(args))}")
        await self.load()
        return Answer()

    async def load(self) -> None:
        """Open the page, anew if it is there. A hub that is away shows as a page that does not load."""
        self._loaded_at = self._clock.monotonic()
        await self._ask("Page.navigate", url="about:blank")  # to the same page but for what is behind # nothing moves
        await self._ask("Page.navigate", url=self._options.address())

    async def _is_ready(self) -> bool:
        found = await self._ask("Runtime.evaluate", expression=_READY, returnByValue=True)
        return bool(found.get("result", {}).get("value"))

    async def _ask(self, method: str, **parameters: object) -> dict[str, Any]:
        async with self._turn:
            return await self._browser.ask(method, self._options.hung_after_s, self._session, **parameters)


@asynccontextmanager
async def open_kiosk(device: str, options: KioskOptions, clock: Clock, folder: Path) -> AsyncIterator[Kiosk]:
    """Start the browser and open the page. Raises DeviceUnreachableError, ConfigurationError for a missing key."""
    options.address()
    command = (options.browser, *_ARGUMENTS, f"--user-data-dir={folder / 'profile'}", *options.arguments, "about:blank")
    async with running(command) as browser:
        kiosk = Kiosk(device, browser, await _attached(browser), options, clock)
        await kiosk.load()
        yield kiosk


async def _attached(browser: Browser) -> str:
    """Return the session of the one page that the browser opens at its start."""
    while True:
        found = await browser.ask("Target.getTargets", _START_S)
        pages = [each for each in found.get("targetInfos", ()) if each.get("type") == "page"]
        if pages:
            break
        await asyncio.sleep(0.1)  # the browser answers before it has drawn its window
    attached = await browser.ask("Target.attachToTarget", _START_S, targetId=pages[0]["targetId"], flatten=True)
    session = attached.get("sessionId")
    if not isinstance(session, str):
        raise DeviceUnreachableError("the browser shows no page")
    return session
