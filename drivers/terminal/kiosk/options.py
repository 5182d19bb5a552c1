"""What a site says about a kiosk."""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from msgspec import Meta

from drivers.contract import Options
from protocol.errors import ConfigurationError

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Word = Annotated[str, Meta(min_length=1, max_length=4096)]


class KioskOptions(Options, frozen=True, kw_only=True):
    """Options of the driver `terminal.kiosk`.

    `url` is the hub's page for the public, `https://hub.example/kiosk`. The key of that kiosk is in the file or the
    environment variable that is named; it reaches the page by a pipe, not by the browser's arguments, which every
    process on the box could read. `browser` is a Chromium, `arguments` come after those that the driver gives it.

    The page is asked every `check_every_s`. One that does not answer for `hung_after_s` counts as hung, and the browser
    is started anew; one that answers but has not loaded is degraded, and loaded anew every `reload_every_s`. Whether it
    is ready is also reported as a reading, at each change and every `tell_every_s`.
    """

    url: Word
    key_file: Word | None = None
    key_env: Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    browser: Word = "chromium"
    arguments: Annotated[tuple[Word, ...], Meta(max_length=64)] = ()
    check_every_s: Seconds = 10.0
    hung_after_s: Seconds = 20.0
    reload_every_s: Seconds = 30.0
    tell_every_s: Seconds = 300.0

    def __post_init__(self) -> None:
        """Refuse what no kiosk can mean."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            raise ValueError("`url` is no address") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.password or parts.fragment:
            raise ValueError("`url` is http(s)://host/path, without a password and without a #")
        if self.key_file and self.key_env:
            raise ValueError("give `key_file` or `key_env`, not both")

    def address(self) -> str:
        """Return where the page is opened, its key behind the #, which browsers keep to themselves.

        Raises ConfigurationError when the place named for the key has none.
        """
        key = self._key()
        return f"{self.url}#key={quote(key, safe='')}" if key else self.url

    def _key(self) -> str | None:
        if self.key_env:
            if (key := os.environ.get(self.key_env)) is None:
                raise ConfigurationError(f"the environment has no {self.key_env}, which `key_env` names")
            return key
        if self.key_file:
            try:
                return Path(self.key_file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(f"`key_file` {self.key_file} cannot be read") from error
        return None
