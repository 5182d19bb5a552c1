"""A browser as a child process, and the Chrome DevTools Protocol over the two pipes that it was started with.

Over pipes there is no port that anybody else on the box could drive the browser by. Messages are JSON, each ended by a
NUL (Chromium, `--remote-debugging-pipe`).
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Any, Final

from drivers.reaping import reap
from drivers.terminal.kiosk import launch
from protocol.errors import DeviceUnreachableError

_LARGEST: Final = 4 * 1024 * 1024
_END: Final = b"\0"
_GRACE_S: Final = 3.0


class Browser:
    """A running browser. One caller at a time."""

    def __init__(self, process: Process, commands: int, answers: asyncio.StreamReader) -> None:
        self._process = process
        self._commands = commands
        self._answers = answers
        self._numbers = count(1)

    async def ask(
        self, method: str, within_s: float, session: str | None = None, **parameters: object
    ) -> dict[str, Any]:
        """Send a command and return its result.

        Raises DeviceUnreachableError when the browser is gone, does not answer in time, or says no.
        """
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        try:
            async with asyncio.timeout(within_s):
                self._send(json.dumps(command).encode() + _END)
                return self._result(method, await self._answer(number))
        except TimeoutError as error:
            raise DeviceUnreachableError(f"the browser does not answer ({method})") from error

    def _send(self, message: bytes) -> None:
        try:
            sent = os.write(self._commands, message)
        except OSError as error:  # full, when it has read nothing for long, or closed
            raise DeviceUnreachableError(f"the browser takes no command: {error}") from error
        if sent != len(message):
            raise DeviceUnreachableError("the browser takes no command")

    async def _answer(self, number: int) -> dict[str, Any]:
        while True:
            try:
                message = json.loads((await self._answers.readuntil(_END))[:-1])
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
                raise DeviceUnreachableError("the browser has ended") from error
            if isinstance(message, dict) and message.get("id") == number:
                return message

    @staticmethod
    def _result(method: str, message: dict[str, Any]) -> dict[str, Any]:
        result = message.get("result")
        if not isinstance(result, dict):
            raise DeviceUnreachableError(f"the browser refuses {method}: {str(message.get('error'))[:200]}")
        return result

    async def end(self) -> None:
        """Let it close itself, then see that it and its children are gone. On return it is reaped."""
        with suppress(DeviceUnreachableError):
            self._send(json.dumps({"id": next(self._numbers), "method": "Browser.close"}).encode() + _END)
        await reap(self._process, _GRACE_S, kill=partial(os.killpg, self._process.pid, signal.SIGKILL))


@asynccontextmanager
async def running(command: Sequence[str]) -> AsyncIterator[Browser]:
    """Start a browser; on leaving, it is gone. Raises DeviceUnreachableError when it cannot be started."""
    async with AsyncExitStack() as opened:
        commands_in, commands_out = _pipe(opened)
        answers_in, answers_out = _pipe(opened)
        os.set_blocking(commands_out.fileno(), False)
        reader = asyncio.StreamReader(limit=_LARGEST)
        reading = asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), answers_in)
        transport, _ = await reading
        opened.callback(transport.close)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(Path(launch.__file__))),
            *(str(commands_in.fileno()), str(answers_out.fileno()), *command),
            pass_fds=(commands_in.fileno(), answers_out.fileno()),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
        browser = Browser(process, commands_out.fileno(), reader)
        opened.push_async_callback(browser.end)
        # The browser has its own ends now; while these were open as well its end would not show.
        commands_in.close()
        answers_out.close()
        yield browser


def _pipe(opened: AsyncExitStack) -> tuple[FileIO, FileIO]:
    """Return both ends of a new pipe, to read and to write; the stack closes them."""
    read, write = os.pipe()
    return opened.enter_context(FileIO(read, "rb")), opened.enter_context(FileIO(write, "wb"))
