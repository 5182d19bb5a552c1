"""Two gateways under the same load: ours, and ThingsBoard IoT Gateway from PyPI in an environment of its own."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.simulators.edge_process import ROOT, EdgeProcess, site

VERSION = "3.8.5"
VENV = ROOT / ".cache" / "peer"
PYTHON = VENV / "bin" / "python"
DEVICE = "source"
EXTENSION = "ledger"


@dataclass(frozen=True, slots=True)
class Load:
    """What the source says: records/s, how many in one breath, and how many in all, 0 for no end."""

    rate: float
    burst: int = 1
    total: int = 0


class Box(Protocol):
    """A gateway's process with its source inside. It may be ended and started again."""

    @property
    def pid(self) -> int: ...
    async def start(self) -> object: ...
    async def end(self, number: signal.Signals) -> object: ...
    def ledger(self, name: str) -> list[int]:
        """Return the numbers in the source's ledger `said`, or in `kept`."""
        ...


class Ours:
    """`python -m edge.process` with its defaults."""

    def __init__(self, folder: Path, port: int, load: Load) -> None:
        options = f"rate = {load.rate}, burst = {load.burst}, total = {load.total}, fsync = false"
        self._edge = EdgeProcess(site(folder, port, gateway="ours", devices={DEVICE: options}))

    @property
    def pid(self) -> int:
        return self._edge.pid

    async def start(self) -> None:
        await self._edge.start()

    async def end(self, number: signal.Signals) -> None:
        await self._edge.end(number, within_s=30)

    def ledger(self, name: str) -> list[int]:
        return self._edge.numbers(DEVICE, name)


class Peer:
    """`thingsboard-gateway` as shipped, but for what `settings` changes."""

    def __init__(self, folder: Path, port: int, load: Load, storage: dict[str, Any]) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        config = folder / "config"
        config.mkdir(parents=True)
        (folder / "logs").mkdir()
        shipped = _package() / "config"
        shutil.copy(shipped / "logs.json", config)
        settings = json.loads((shipped / "tb_gateway.json").read_text())
        settings["thingsboard"] |= {
            "host": "127.0.0.1",
            "port": port,
            "remoteConfiguration": False,
            "remoteShell": False,
            "statistics": {"enable": False},
            "security": {"type": "accessToken", "accessToken": "peer"},
        }
        settings["storage"] |= storage
        name = f"{EXTENSION}.json"
        entry = {"type": EXTENSION, "name": "Ledger", "configuration": name, "class": "LedgerConnector"}
        settings["connectors"] = [entry]
        (config / "tb_gateway.json").write_text(json.dumps(settings))
        source = {"rate": load.rate, "burst": load.burst, "total": load.total, "device": DEVICE, "ledger": str(folder)}
        (config / name).write_text(json.dumps(source))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        program = "from thingsboard_gateway.tb_gateway import main; main()"
        environment = {**os.environ, "TB_GW_CONFIG_DIR": str(self._folder / "config"), "PIP_NO_INDEX": "1"}
        with (self._folder / "output.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                PYTHON, "-c", program, cwd=self._folder, stdout=log, stderr=log, env=environment
            )

    async def end(self, number: signal.Signals) -> None:
        """Send a signal; what does not end within 30 s is killed, as a service's supervisor would."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        try:
            async with asyncio.timeout(30):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def ledger(self, name: str) -> list[int]:
        file = self._folder / name
        content = file.read_bytes() if file.exists() else b""
        return [int(line) for line in content[: content.rfind(b"\n") + 1].split()]


Make = Callable[[Path, int, Load], Box]


def boxes() -> dict[str, Make]:
    """Return what is compared, by name. The peer's stores on disk read as much at once as its code says by default."""

    def peer(**storage: Any) -> Make:
        return lambda folder, port, load: Peer(folder, port, load, storage)

    quick = {"max_read_records_count": 1_000, "data_folder_path": "./data/", "data_file_path": "./data/"}
    return {
        "ours": Ours,
        "peer, memory": peer(type="memory"),
        "peer, file": peer(type="file", **quick),
        "peer, sqlite": peer(type="sqlite", **quick),
    }


def install() -> None:
    """Put the peer into an environment of its own, unless it is there. Exits with the command to run by hand."""
    if not _installed():
        command = [str(PYTHON), "-m", "pip", "install", "-q", f"thingsboard-gateway=={VERSION}"]
        try:
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True, stdout=sys.stderr)
            subprocess.run(command, check=True, stdout=sys.stderr)
        except subprocess.CalledProcessError:
            by_hand = f"{sys.executable} -m venv {VENV.relative_to(ROOT)} && {' '.join(command[1:])}"
            raise SystemExit(f"the peer cannot be installed; try by hand: {by_hand}") from None
    extension = _package() / "extensions" / EXTENSION
    extension.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("peer_connector.py"), extension)


def _installed() -> bool:
    check = f"from importlib.metadata import version; assert version('thingsboard-gateway') == '{VERSION}'"
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", check], check=False, capture_output=True).returncode == 0


def _package() -> Path:
    return next(VENV.glob("lib/python*/site-packages")) / "thingsboard_gateway"
