"""Who may use the page: whoever read the password off the box's console, one after the other, not by guessing."""

import hmac
import secrets
from typing import Final

from protocol.clock import Clock

COOKIE: Final = "installer"
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is easily misread."""
_GROUPS: Final = (4, 4, 4)
_TRIES: Final = 5
WAIT_S: Final = 60.0
_SESSIONS: Final = 8


def new_password() -> str:
    """Return a fresh password: 59 random bits, in groups for reading aloud."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in _GROUPS)


class Access:
    """The password, and the sessions of those who knew it. After five wrong tries nobody gets in for a minute."""

    def __init__(self, password: str, clock: Clock) -> None:
        self._password = password
        self._clock = clock
        self._wrong = 0
        self._closed_until = 0.0
        self._sessions: list[str] = []

    @property
    def wait_s(self) -> float:
        """Seconds until the next try; 0 when it may be now."""
        return max(0.0, self._closed_until - self._clock.monotonic())

    def enter(self, password: str) -> str | None:
        """Return a new session, None for a wrong password or while nobody gets in."""
        if self.wait_s:
            return None
        given = "".join(password.lower().split())
        if not hmac.compare_digest(given.encode(), self._password.encode()):
            self._wrong += 1
            if self._wrong % _TRIES == 0:
                self._closed_until = self._clock.monotonic() + WAIT_S
            return None
        self._wrong = 0
        session = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions, session][-_SESSIONS:]
        return session

    def knows(self, session: str) -> bool:
        """Tell whether this is a session."""
        return any(hmac.compare_digest(session.encode(), each.encode()) for each in self._sessions)
