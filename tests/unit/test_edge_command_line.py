import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.contract import Report
from edge import shelf
from edge.outbox import Limits, Outbox, store_file
from edge.store import Store
from protocol.clock import SystemClock
from protocol.messages import Reading

ROOT = Path(__file__).parents[2]
GOOD = '[gateway]\nid = "g1"\n[hub]\nbroker = "mqtt://127.0.0.1"\n'


def diwang_edge(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from diwang.edge_commands import app; app()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )


def test_check_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(GOOD)
    assert diwang_edge("run", "--config", str(file), "--check").returncode == 0
    file.write_text(GOOD.replace("g1", "G 1"))
    wrong = diwang_edge("run", "--config", str(file), "--check")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("gateway.id: ")


@pytest.mark.parametrize("is_folder", [True, False])
def test_an_outbox_that_cannot_be_opened_is_said_with_its_own_exit_code(tmp_path: Path, *, is_folder: bool) -> None:
    file = tmp_path / "site.toml"
    file.write_text(GOOD)
    if is_folder:
        (tmp_path / "data" / "outbox.db").mkdir(parents=True)
    else:
        (tmp_path / "data").touch()
    failed = diwang_edge("run", "--config", str(file))
    assert failed.returncode == 3
    assert "outbox_cannot_be_opened" in failed.stderr
    assert "Traceback" not in failed.stderr


async def test_what_was_put_aside_can_be_listed_and_shown_while_the_agent_does_not_run(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(GOOD)
    missing = await asyncio.to_thread(diwang_edge, "quarantine", "--config", str(file))
    assert missing.returncode == 1
    limits = Limits(max_bytes=1 << 30, max_age_s=86_400, batch_records=7, batch_bytes=100_000)
    async with Store(store_file(tmp_path / "data"), shelf.SCHEMA, SystemClock(), group_s=0) as store:
        outbox = await Outbox(store, "g1", limits, SystemClock()).load()
        await outbox.append([Report(Reading(device="fridge", at=SystemClock().now(), values={"t": float("nan")}))])
        busy = await asyncio.to_thread(diwang_edge, "quarantine", "--config", str(file))
        assert (busy.returncode, "the agent runs" in busy.stderr) == (1, True)
    listed = await asyncio.to_thread(diwang_edge, "quarantine", "--config", str(file))
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith("1  record  -  ")
    assert "null" in listed.stdout
    shown = await asyncio.to_thread(diwang_edge, "quarantine", "--config", str(file), "--show", "1")
    assert json.loads(shown.stdout)["device"] == "fridge"
