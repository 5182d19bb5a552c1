"""Every test that SECURITY.md names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tests_of_every_control_are_there() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 30
    assert named - set(re.findall(r"^(?:async )?def (test_\w+)\(", code, re.MULTILINE)) == set()
