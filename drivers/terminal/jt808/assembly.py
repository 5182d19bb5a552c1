"""Sub-packages to messages (JT/T 808 section 4.4.3): they may come in any order, and some may never come."""

from typing import Final

import msgspec
from msgspec import Struct

from drivers.terminal.jt808.messages import Message

_MOST_PARTS: Final = 64
_MOST_MESSAGES: Final = 4
_PATIENCE_S: Final = 120.0


class _Gathering(Struct):
    """A message of which parts have come. `at` is when the last one did."""

    parts: dict[int, Message]
    at: float


class Assembly:
    """Gathers the sub-packages of one terminal; `dropped` counts messages that were given up.

    A message is given up when it has more than 64 parts, when nothing more comes of it for two minutes (a terminal
    repeats what nobody confirms well within that), or when a fifth one begins.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._gathering: dict[tuple[int, int, int], _Gathering] = {}

    def add(self, message: Message, now: float) -> Message | None:
        """Take a message; return it if it is whole or the last missing part. `now` is monotonic."""
        if message.part is None:
            return message
        for key in [key for key, gathering in self._gathering.items() if now - gathering.at > _PATIENCE_S]:
            self._give_up(key)
        total, number = message.part
        if total > _MOST_PARTS:
            self.dropped += 1
            return None
        # Parts have consecutive serial numbers, so the first one's names the message.
        key = (message.id, total, (message.serial - number) & 0xFFFF)
        if key not in self._gathering and len(self._gathering) >= _MOST_MESSAGES:
            self._give_up(min(self._gathering, key=lambda other: self._gathering[other].at))
        gathering = self._gathering.setdefault(key, _Gathering({}, now))
        gathering.at = now
        gathering.parts[number] = message
        if len(gathering.parts) < total:
            return None
        del self._gathering[key]
        body = b"".join(gathering.parts[each].body for each in range(1, total + 1))
        return msgspec.structs.replace(message, body=body, part=None)

    def _give_up(self, key: tuple[int, int, int]) -> None:
        del self._gathering[key]
        self.dropped += 1
