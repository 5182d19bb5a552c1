"""How many records per second the hub commits and acknowledges, broker and load generator on the same cores.

    python -m tests.bench.bench_ingest [SECONDS]

Batches of 100 one-value readings at 1, 10, 100 and 1,000 gateways; positions and events through the whole anomaly
pipeline; the delay at 1,000 readings/s; and DuckDB alone inserting the same rows in commits of the same size.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench import tables
from tests.bench.duckdb_alone import Rates, rates

BATCH = 100
IN_FLIGHT = 512
CORES = psutil.cpu_count() or 1
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """What the load generator saw, the CPU of each part in microseconds per record, and batches per commit."""

    found: dict[str, Any]
    cpu_us: tuple[float, float, float]
    rss_mb: float
    group: float


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def run(gateways: int, seconds: float, *, rate: float = 0, batch: int = BATCH, kind: str = "reading") -> Run:
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as data:
        command = [sys.executable, "-m", "tests.bench.ingest_process", data, "0", str(gateways)]
        hub = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert hub.stdout is not None
            line = hub.stdout.readline().split()
            host, port = line[1].removeprefix("mqtt://").split(":")
            parts = (psutil.Process(hub.pid), psutil.Process(int(line[2])))
            window = max(1, IN_FLIGHT // gateways)
            arguments = (host, port, gateways, window, batch, seconds, rate, kind)
            load = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.mqtt_load", *map(str, arguments)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert load.stdout is not None
            assert load.stdout.readline() == "CONNECTED\n"
            before = [cpu_s(part) for part in parts]
            found: dict[str, Any] = json.loads(load.communicate("go\n")[0])
            used = [cpu_s(part) - start for part, start in zip(parts, before, strict=True)] + [found["cpu_s"]]
            rss_mb = parts[0].memory_info().rss / 1e6
            hub.terminate()
            _, messages, _, groups = hub.communicate(timeout=30)[0].split()
            hub_us, broker_us, load_us = (seconds / found["acked"] * 1e6 for seconds in used)
            return Run(found, (hub_us, broker_us, load_us), rss_mb, int(messages) / int(groups))
        finally:
            hub.terminate()
            hub.wait(10)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    rows, alone = [], {}
    for gateways in (1, 10, 100, 1000):
        measured = run(gateways, seconds)
        alone[gateways] = rates(BATCH, round(measured.group), every=gateways == 10)
        rows.append((f"readings, {gateways:,} gateway{'s' * (gateways > 1)}", *figures(measured, alone[gateways])))
        if gateways == 10:
            typical = measured
    measured = run(10, seconds, kind="position")
    group = rates(BATCH, round(measured.group), kind="position")
    rows.append(("positions, 10 gateways, through every detector", *figures(measured, group)))
    measured = run(10, seconds, kind="event")
    rows.append(("events, 10 gateways, through the whole pipeline", *figures(measured, None)))
    measured = run(10, seconds, rate=100, batch=10)
    rows.append(("readings, 10 gateways, 1,000/s in batches of 10", *figures(measured, None)))
    tables.heading("Hub ingest, committed and acknowledged")
    tables.note(
        f"Batches of {BATCH} records, readings of one value, through the embedded broker; {IN_FLIGHT} unacknowledged "
        f"batches at most, or one per gateway; {seconds:.0f} s a row; hub, broker and load generator share {CORES} "
        "cores. CPU in us per record. To hold: >= 150,000 readings/s; at 1,000/s p50 <= 20 and p99 <= 200 ms. "
        "A throw-away chain of the same parts, with little validation and no pipeline, reached 217,000 to 338,000."
    )
    columns = ("limit of DuckDB", "of it", "p50, ms", "p99, ms", "CPU hub", "CPU broker", "CPU load", "hub RSS, MB")
    tables.table(("", "records/s", "rows a commit", *columns, "not acknowledged"), rows)
    compare(typical, alone[10])


def figures(row: Run, alone: Rates | None) -> tuple[str, ...]:
    """Return the cells of a run."""
    found = row.found
    ratio = (f"{alone.ready:,.0f}", f"{found['per_s'] / alone.ready:.2f}") if alone else ("", "")
    delays = f"{found['p50_ms']:.0f}", f"{found['p99_ms']:.0f}"
    costs = (f"{cost:.2f}" for cost in row.cpu_us)
    committed = f"{row.group * found['batch']:,.0f}"
    return f"{found['per_s']:,.0f}", committed, *ratio, *delays, *costs, f"{row.rss_mb:.0f}", f"{found['unacked']}"


def compare(measured: Run, alone: Rates) -> None:
    """Print every baseline of the run with 10 gateways, and say which one counts."""
    tables.note(
        "DuckDB alone inserts the same rows into the same table, durably, after the run and with all cores to itself: "
        "no broker, no JSON, no load generator. To hold: >= 0.40 of the line that starts from decoded records, as the "
        "plain program without a hub would (docs/decisions/0008). Ready columns are the limit: nobody made them."
    )
    baselines = (
        (f"from decoded records by lists, {alone.rows:,} rows a commit, as the hub had", alone.made),
        ("limit: Arrow columns ready, the same rows a commit", alone.ready),
        ("limit: Arrow columns ready, all in one commit", alone.at_once),
    )
    per_s = measured.found["per_s"]
    rows = [(name, f"{rate:,.0f}", f"{per_s / rate:.2f}") for name, rate in baselines]
    tables.table(("readings, 10 gateways", "DuckDB alone, rows/s", "hub's share"), rows)
    most = CORES * 1e6 / sum(measured.cpu_us)
    tables.note(
        f"By the CPU that a record took in this run, {CORES} cores that never wait could carry {most:,.0f} readings/s "
        f"from the load generator to the commit: {most / alone.ready:.2f} of the limit in commits of this size."
    )


if __name__ == "__main__":
    main()
