"""The agent beside the installer: it is begun, begun anew, and stopped where enrolment asks for that.

On a box with systemd the unit does it. Elsewhere the agent is begun as a process of its own, which outlives the page.
"""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Final

from edge import standing as standings
from edge.config_file import table
from edge.standing import Standing
from protocol.errors import ConfigurationError, DiwangError

UNIT: Final = "diwang-edge.service"
_BOOTED: Final = Path("/run/systemd/system")
"""Is there when systemd runs the box (sd_booted(3))."""
_SYSTEMCTL_S: Final = 60.0
_STOPS_S: Final = 20.0
LOG: Final = "agent.log"


class AgentError(DiwangError):
    """The agent cannot be told; the message says why."""


class Agents:
    """The agent of the box of this file."""

    def __init__(self, file: Path, systemctl: str | None = None) -> None:
        self._file = file
        self._systemctl = systemctl or (shutil.which("systemctl") if _BOOTED.is_dir() else None)
        self._child: asyncio.subprocess.Process | None = None

    @property
    def standing(self) -> Standing | None:
        """What the agent said of itself last, None when it never did."""
        try:
            section = table(self._file).get("gateway", {})
        except ConfigurationError:
            return None
        return standings.read(self._file.absolute().parent / str(section.get("data", "data")))

    @property
    def running(self) -> Standing | None:
        """What the agent says of itself while it runs; None when it does not."""
        standing = self.standing
        return standing if standing is not None and standings.is_running(standing) else None

    async def begin(self) -> None:
        """Have the agent run with the configuration as it stands. Raises AgentError."""
        running = self.running
        if running is not None:
            self._signal(running.pid, signal.SIGHUP)
        elif self._child is not None and self._child.returncode is None:
            self._signal(self._child.pid, signal.SIGHUP)  # it has not said anything yet
        elif self._systemctl is not None:
            await self._ask_systemd("restart")
        else:
            await self._begin_own()

    async def stop(self) -> None:
        """Have no agent run. Raises AgentError when one does that cannot be stopped."""
        if self._systemctl is not None:
            await self._ask_systemd("stop")
        for pid in {each.pid for each in (self.running, self._child) if each is not None}:
            await self._end(pid)

    async def _end(self, pid: int) -> None:
        if self._child is not None and self._child.pid == pid:
            if self._child.returncode is None:
                self._child.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOPS_S):
                    await self._child.wait()
            except TimeoutError as error:
                raise AgentError(f"the agent (process {pid}) does not end") from error
            self._child = None
            return
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(handle, gone.set)
        try:
            self._signal(pid, signal.SIGTERM)
            async with asyncio.timeout(_STOPS_S):
                await gone.wait()
        except TimeoutError as error:
            raise AgentError(f"the agent (process {pid}) does not end") from error
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    async def _begin_own(self) -> None:
        folder = self._file.absolute().parent / str(table(self._file).get("gateway", {}).get("data", "data"))
        folder.mkdir(parents=True, exist_ok=True)
        command = (sys.executable, "-P", "-m", "edge.process", "--config", str(self._file.absolute()))
        with (folder / LOG).open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _signal(self, pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise AgentError("the agent runs as another user: begin this page as that user or as root") from error

    async def _ask_systemd(self, verb: str) -> None:
        assert self._systemctl is not None  # noqa: S101 - asked before
        asking = await asyncio.create_subprocess_exec(
            self._systemctl, verb, UNIT, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
        try:
            async with asyncio.timeout(_SYSTEMCTL_S):
                _, said = await asking.communicate()
        except TimeoutError as error:
            asking.kill()
            await asking.wait()
            raise AgentError(f"systemctl {verb} {UNIT} does not end") from error
        if asking.returncode != 0:
            raise AgentError(said.decode(errors="replace").strip()[:300] or f"systemctl {verb} {UNIT} failed")
