"""The real agent in a process of its own."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]


def site(
    folder: Path, port: int, *, gateway: str = "g1", devices: dict[str, str] | None = None, more: str = ""
) -> Path:
    """Write a box's configuration; `devices` maps a name to the TOML of the load driver's options."""
    sections = [
        f'[gateway]\nid = "{gateway}"\n[hub]\nbroker = "mqtt://127.0.0.1:{port}"\n',
        more,
        *(
            f'[devices.{name}]\ndriver = "tests.simulators.load_driver:SPEC"\nthin = false\noptions = {{ {options} }}\n'
            for name, options in (devices or {}).items()
        ),
    ]
    file = folder / "site.toml"
    file.write_text("\n".join(sections))
    return file


def faketime(clock: Path) -> dict[str, str]:
    """Return the environment of a program whose wall clock is off by what the file says: `+86400`, say, in seconds."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert libraries, "missing: faketime; run: sudo apt-get install faketime"
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


class EdgeProcess:
    """An agent that may be killed and started again as often as wanted. Its log lies beside its configuration."""

    def __init__(self, config: Path, *, environment: dict[str, str] | None = None) -> None:
        self.config = config
        self.log = config.with_suffix(".log")
        self._environment = {**os.environ, **(environment or {})}
        self.process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "edge.process",
                "--config",
                str(self.config),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        return self

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = 15.0) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    def numbers(self, device: str, ledger: str) -> list[int]:
        """Return the whole lines of a load device's ledger (`said`, `kept` or `obeyed`)."""
        file = self.config.parent / "data" / "devices" / device / ledger
        if not file.exists():
            return []
        content = file.read_bytes()
        return [int(line) for line in content[: content.rfind(b"\n") + 1].split()]
