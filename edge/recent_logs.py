"""The agent's last log lines, kept in memory, so that the hub can ask for them when nobody is at the box."""

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from protocol.errors import DeviceRefusedError

KEPT: Final = 1_000
TOLD: Final = 200
_LINE_CHARACTERS: Final = 2_000
_ANSWER_CHARACTERS: Final = 128 * 1024
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class RecentLogs(logging.Handler):
    """Keeps the last `KEPT` lines as they are written, and cuts long ones."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[tuple[int, str]] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((record.levelno, self.format(record)[:_LINE_CHARACTERS]))

    async def tell(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the command `logs`: the newest `lines` of at least `level`, in the order in which they were written.

        What does not fit into a message is left out, the oldest first, and counted in `left_out`. Raises
        DeviceRefusedError for arguments that mean nothing.
        """
        wanted, level = args.get("lines", TOLD), args.get("level", "info")
        if not isinstance(wanted, int) or isinstance(wanted, bool) or not 1 <= wanted <= KEPT:
            raise DeviceRefusedError(f"lines: a number from 1 to {KEPT} is expected")
        if level not in _LEVELS:
            raise DeviceRefusedError(f"level: one of {', '.join(_LEVELS)} is expected")
        fitting = [line for number, line in self._lines if number >= _LEVELS[level]]
        told: list[str] = []
        size = 0
        for line in reversed(fitting[-wanted:]):
            size += len(line)
            if size > _ANSWER_CHARACTERS:
                break
            told.append(line)
        return {"lines": told[::-1], "left_out": len(fitting) - len(told)}
