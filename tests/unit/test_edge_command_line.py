import subprocess
import sys
from pathlib import Path

import pytest

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
