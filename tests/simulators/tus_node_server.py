"""The reference tus server of Node.js, to see whether our client speaks the protocol and not only with ourselves."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.simulators.fetching import alone

SOURCE = Path(__file__).parent / "tus_node"
INSTALLED = Path(__file__).parents[2] / ".cache" / "tus_node"


def install() -> None:
    """Install what the committed lock says, unless that was done; fail the test run when it cannot be."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    done = INSTALLED / "installed.json"
    with alone(INSTALLED):
        if not done.exists() or done.read_bytes() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, INSTALLED)
            _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            done.write_bytes(lock)
        shutil.copy(SOURCE / "server.mjs", INSTALLED)


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, cwd=INSTALLED, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or error
        pytest.fail(f"{' '.join(command)} in {INSTALLED} (Node.js 20 and a registry are needed): {reason}")


@asynccontextmanager
async def tus_node_server(folder: Path) -> AsyncIterator[int]:
    """Run it on a folder that is there; yield its port."""
    install()
    process = await asyncio.create_subprocess_exec(
        "node",
        "server.mjs",
        str(folder),
        cwd=INSTALLED,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        await process.communicate(b"")
