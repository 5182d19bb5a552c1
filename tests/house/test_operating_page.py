"""What docs/operating.md promises is what the programs do and say."""

import re
from configparser import ConfigParser
from pathlib import Path

from edge import process

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def units() -> list[ConfigParser]:
    parsed = []
    for block in re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL):
        unit = ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign] # systemd's names have capitals
        unit.read_string(block)
        parsed.append(unit)
    return parsed


def test_every_log_event_of_the_page_is_said_somewhere() -> None:
    code = "\n".join(
        file.read_text(encoding="utf-8") for part in ("edge", "drivers", "hub") for file in (ROOT / part).rglob("*.py")
    )
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", PAGE, re.MULTILINE)
    events = {event for row in rows for event in re.findall(r"`([a-z_]+)`", row)}
    assert len(events) > 30
    assert not {event for event in events if f'"{event}"' not in code and not event.startswith("device_is_")}


def test_systemd_waits_for_the_agent_longer_than_the_agent_for_anything() -> None:
    edge, hub = units()
    assert (edge["Service"]["Type"], edge["Service"]["NotifyAccess"]) == ("notify", "main")
    assert int(edge["Service"]["TimeoutStopSec"]) > process.STOPPED_WITHIN_S
    assert int(edge["Service"]["RestartPreventExitStatus"]) == process.EXIT_CONFIGURATION
    assert int(edge["Service"]["WatchdogSec"]) > 0
    assert {unit["Service"]["KillMode"] for unit in (edge, hub)} == {"mixed"}
