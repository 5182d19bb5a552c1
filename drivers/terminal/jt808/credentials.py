"""Who a terminal is: the code that the box gave it, and which unit it gave it to, in the device's folder."""

import hmac
import secrets
from pathlib import Path

import msgspec

from drivers.terminal.jt808.messages import Registration
from protocol import logs
from protocol.errors import ConfigurationError
from protocol.lasting import replace_file

log = logs.get(__name__)


class _Pinned(msgspec.Struct, frozen=True):
    """The unit that registered first, and its code."""

    terminal: str
    code: str


class Credentials:
    """What one terminal must know. The code is drawn once (64 bits) and survives restarts, as terminals keep theirs.

    Raises ConfigurationError when what was kept cannot be read: to draw a new code would lock the terminal out.
    """

    def __init__(self, folder: Path, terminal_id: str | None) -> None:
        self._file = folder / "terminal.json"
        self._terminal_id = terminal_id
        self._pinned = self._read()

    def register(self, registration: Registration) -> str | None:
        """Return the code for this unit, or None when it is another than the one that we know."""
        known = self._terminal_id or (self._pinned and self._pinned.terminal)
        if known is not None and registration.terminal != known:
            return None
        if self._pinned is None or self._pinned.terminal != registration.terminal:
            self._pinned = _Pinned(registration.terminal, secrets.token_hex(8))
            self._write(self._pinned)
        return self._pinned.code

    def admits(self, code: str) -> bool:
        """Whether this is the code that we gave."""
        return self._pinned is not None and hmac.compare_digest(self._pinned.code.encode(), code.encode())

    def _read(self) -> _Pinned | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Pinned)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(f"{self._file.name} of the terminal cannot be read: {error}") from error

    def _write(self, pinned: _Pinned) -> None:
        try:
            replace_file(self._file, msgspec.json.encode(pinned))
        except OSError as error:  # on a full disk it works on until the next start, and must then register again
            log.warning("terminal_not_saved", reason=str(error))
