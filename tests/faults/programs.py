"""The programs under test: the real hub and the real agents, started, killed and started again."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil

from tests.simulators.edge_process import ROOT

READY_S = 90.0


class Tmpfs:
    """A small disk of its own for a program, which can be filled up. Mounting it needs root or sudo."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir(parents=True)
        _as_root(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "tmpfs", str(folder)])

    def fill(self) -> None:
        """Take every free byte."""
        descriptor = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while True:
                os.write(descriptor, b"\0" * 65_536)
        except OSError:
            return
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        _as_root(["umount", "-l", str(self.folder)])


def _as_root(command: list[str]) -> None:
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    done = subprocess.run([*prefix, *command], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"this needs root: {' '.join(command)}\n{done.stderr}")


class Hub:
    """The hub with its embedded broker. Its ports stay the same over restarts."""

    def __init__(self, data: Path, log: Path, *, http_port: int, mqtt_port: int) -> None:
        self.url = f"http://127.0.0.1:{http_port}"
        self.mqtt_port = mqtt_port
        self.data = data
        self.log = log
        self._config = log.with_suffix(".toml")
        self._config.write_text(
            f'[broker]\nmqtt_port = {mqtt_port}\n[notifications]\nallow = ["127.0.0.1"]\nconsole = false\n'
            "[tls]\nport = 0\nmqtts_port = 0\n[uploads]\nreserve_mb = 0\n"
        )
        self._command = [sys.executable, "-m", "diwang", "hub"]
        self._run = [
            *self._command,
            "run",
            "--data",
            str(data),
            "--port",
            str(http_port),
            "--config",
            str(self._config),
        ]
        self.process: asyncio.subprocess.Process | None = None

    def new_key(self) -> str:
        """Make an API key of full scope in the hub's data folder."""
        made = subprocess.run(
            [*self._command, "keys", "create", "--data", str(self.data), "--name", "faults", "--scope", "admin"],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        found = re.search(r"dw_\w+", made.stdout)
        assert found, made.stdout
        return found.group()

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*self._run, cwd=ROOT, stdout=log, stderr=log)

    async def ready(self) -> None:
        """Return when every part is ready."""
        async with asyncio.timeout(READY_S), httpx.AsyncClient(trust_env=False) as http:
            while True:
                try:
                    if (await http.get(f"{self.url}/readyz")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    assert self.process is not None
                    if self.process.returncode is not None:
                        raise SystemExit(
                            f"the hub ended with status {self.process.returncode}; see {self.log}"
                        ) from None
                await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.wait()

    def broker(self) -> psutil.Process | None:
        """Return the embedded broker's process, if it runs now."""
        assert self.process is not None
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
            found: Sequence[psutil.Process] = [child for child in children if child.name() == "nats-server"]
        except psutil.NoSuchProcess:
            return None
        return found[0] if found else None

    def kill_broker(self, *, wipe: bool) -> bool:
        """Kill the broker, and wipe everything that it stored; the hub is to start it again."""
        broker = self.broker()
        if broker is None:
            return False
        broker.kill()
        if wipe:
            for store in self.data.glob("broker/**/jetstream"):
                shutil.rmtree(store, ignore_errors=True)
        return True
