"""Run the benches one after the other and write docs/benchmarks.md: `python -m tests.bench [NAME…]`, or `make bench`.

With names (`python -m tests.bench edge gps`) only those run, and their sections go to the terminal alone: a page holds
figures of one run. A bench never fails on a figure. One that breaks, or that takes longer than it may, leaves its error
in its section, and the exit status is 1.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench.machine import facts, load
from tests.simulators.edge_process import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
BENCHES = {
    "ingest": 240,
    "telemetry": 180,
    "edge": 240,
    "backlog": 960,
    "gps": 180,
    "location": 240,
    "camera": 360,
    "printer": 60,
    "printer_link": 60,
    "recorder": 120,
    "jt808": 60,
    "peer": 1_200,
}
"""Name and the seconds that each may take; a whole run on two cores takes about 13 minutes."""

ENDED_WITHIN_S = 20.0

READING = """\
Written by `make bench`. Everything ran on one machine, one bench after the other, load generators and brokers on the
same cores. Seconds differ from machine to machine and with what else it does: read the ratios against the baseline
that stands beside them, measured in the same run. Memory is in MB of 10^6 bytes. `p50` and `p99` are the values that
50 % and 99 % stay below. "To hold" repeats the figure that the design promises; nothing here passes or fails on it."""


@dataclass(frozen=True, slots=True)
class Section:
    """What a bench said, and whether it got to its end."""

    name: str
    text: str
    took_s: float
    whole: bool


def run(name: str, limit_s: float) -> Section:
    """Run one bench in a process group of its own, which ends with it."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        bench = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.bench_{name}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = bench.communicate(timeout=limit_s)
            error = "" if bench.returncode == 0 else f"ended with status {bench.returncode}"
        except subprocess.TimeoutExpired:
            said = _ended(bench)
            error = f"was not done after {limit_s:.0f} s"
        if error:
            complaints.seek(0)
            last = "".join(complaints.readlines()[-20:]).replace(str(ROOT), ".")
            said = f"{said or f'## {name}'}\n\n**This bench {error}:**\n\n```text\n{last}```\n"
    return Section(name, said.strip(), time.monotonic() - began, whole=not error)


def _ended(bench: subprocess.Popen[str]) -> str:
    """Let a bench end its programs and clear up after itself, or else end all of them; return what it has said."""
    bench.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        return bench.communicate(timeout=ENDED_WITHIN_S)[0]
    os.killpg(bench.pid, signal.SIGKILL)
    return bench.communicate()[0]


def page(sections: list[Section], began: datetime, busy: str) -> str:
    """Return the whole document."""
    rows = [*facts().items(), ("load average when it began", busy), ("date", f"{began:%Y-%m-%d %H:%M} UTC")]
    machine = "\n".join(["| machine | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])
    times = ", ".join(f"{section.name} {section.took_s:.0f} s" for section in sections)
    body = "\n\n".join(section.text for section in sections)
    return f"# Benchmarks\n\n{READING}\n\n{machine}\n\nTime taken: {times}.\n\n{body}\n"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join(BENCHES))
    names = arguments.parse_args().names
    began, busy = datetime.now(UTC), load()
    sections = []
    for name in names or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        section = run(name, BENCHES[name])
        print(f"{section.text}\n", flush=True)
        sections.append(section)
    if not names:
        PAGE.write_text(page(sections, began, busy), encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}", file=sys.stderr)
    return 0 if all(section.whole for section in sections) else 1


if __name__ == "__main__":
    sys.exit(main())
