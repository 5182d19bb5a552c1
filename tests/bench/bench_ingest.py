"""How many readings per second the hub commits and acknowledges, broker and load generator on the same cores.

    python -m tests.bench.bench_ingest [SECONDS]

Batches of 100 one-value readings at 1, 10, 100 and 1,000 gateways; positions and events through the whole anomaly
pipeline; the delay at 1,000 readings/s; and DuckDB alone inserting the same rows in the same run.
"""

import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa

from tests.bench import tables

BATCH = 100
IN_FLIGHT = 256
START = datetime(2026, 11, 24, 8, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def run(gateways: int, seconds: float, *, rate: float = 0, batch: int = BATCH, kind: str = "reading") -> dict[str, Any]:
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
            hub_s, broker_s = (cpu_s(part) - start for part, start in zip(parts, before, strict=True))
            found["hub_us"] = hub_s / found["acked"] * 1e6
            found["broker_us"] = broker_s / found["acked"] * 1e6
            found["load_us"] = found["cpu_s"] / found["acked"] * 1e6
            found["rss_mb"] = parts[0].memory_info().rss / 1e6
            return found
        finally:
            hub.terminate()
            hub.wait(10)


def duckdb_alone(seconds: float, *, ready: bool) -> float:
    """Readings per second of DuckDB alone with the same rows, names spelled out, a durable commit per 50 batches.

    `ready`: the Arrow columns are there already; otherwise they are made of Python's lists, as a hub has to.
    """
    rows = 50 * BATCH
    columns = {
        "gateway": [f"g{index // BATCH % 10}" for index in range(rows)],
        "device": [f"d{index % 10}" for index in range(rows)],
        "name": ["temperature_c"] * rows,
        "time": [START + timedelta(milliseconds=index) for index in range(rows)],
        "value": [4.5 + index % BATCH for index in range(rows)],
    }
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as data:
        connection = duckdb.connect(Path(data) / "alone.duckdb", config={"memory_limit": "512MiB", "threads": 2})
        connection.execute(
            "CREATE TABLE reading (gateway TEXT, device TEXT, name TEXT, time TIMESTAMPTZ, value DOUBLE)"
        )
        stored, began = 0, time.perf_counter()
        arrived = pa.table(columns)
        while time.perf_counter() - began < seconds:
            connection.register("arrived", arrived if ready else pa.table(columns))
            connection.execute("INSERT INTO reading SELECT * FROM arrived")
            stored += rows
        took = time.perf_counter() - began
        connection.close()
    return stored / took


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    ready, made = (duckdb_alone(min(3, seconds), ready=ready) for ready in (True, False))
    rows = [
        ("DuckDB alone, the Arrow columns ready", f"{ready:,.0f}", "1.00", *[""] * 7),
        ("DuckDB alone, the columns made of lists", f"{made:,.0f}", f"{made / ready:.2f}", *[""] * 7),
    ]
    for gateways in (1, 10, 100, 1000):
        row = run(gateways, seconds)
        rows.append((f"readings, {gateways:,} gateway{'s' * (gateways > 1)}", *figures(row, ready)))
    for kind in ("position", "event"):
        row = run(10, seconds, kind=kind)
        rows.append((f"{kind}s, 10 gateways, whole anomaly pipeline", *figures(row, ready)))
    row = run(10, seconds, rate=100, batch=10)
    rows.append(("readings, 10 gateways, 1,000/s in batches of 10", *figures(row, ready)))
    tables.heading("Hub ingest, committed and acknowledged")
    tables.note(
        f"Batches of {BATCH} records, readings of one value, through the embedded broker; each gateway has a window of "
        f"unacknowledged batches; {seconds:.0f} s a row; hub, broker and load generator share the cores. CPU in "
        "microseconds per record. To hold: >= 150,000 readings/s, and >= 0.40 of DuckDB alone inserting the same rows. "
        "A throw-away chain of the same parts, with little validation and no pipeline, reached 217,000 to 338,000."
    )
    columns = ("p50, ms", "p99, ms", "CPU hub", "CPU broker", "CPU load", "hub RSS, MB", "not acknowledged")
    tables.table(("", "records/s", "x DuckDB alone", *columns), rows)


def figures(row: dict[str, Any], alone: float) -> tuple[str, ...]:
    """Return the cells of a run."""
    rates = f"{row['per_s']:,.0f}", f"{row['per_s'] / alone:.2f}"
    costs = (f"{row[part]:.2f}" for part in ("hub_us", "broker_us", "load_us"))
    return *rates, f"{row['p50_ms']:.0f}", f"{row['p99_ms']:.0f}", *costs, f"{row['rss_mb']:.0f}", f"{row['unacked']}"


if __name__ == "__main__":
    main()
