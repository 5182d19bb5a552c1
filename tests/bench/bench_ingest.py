"""How many readings per second the hub commits and acknowledges, broker and load generator on the same cores.

    python -m tests.bench.bench_ingest [SECONDS]

Batches of 100 one-value readings at 1, 10, 100 and 1,000 gateways; the delay at 1,000 readings/s; and DuckDB alone
inserting the same rows in the same run.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa

BATCH = 100
IN_FLIGHT = 256
START = 1_795_000_000_000_000
ROOT = Path(__file__).parents[2]


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def run(gateways: int, seconds: float, rate: float, batch: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as data:
        command = [sys.executable, "-m", "tests.bench.ingest_process", data, "0", str(gateways)]
        hub = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert hub.stdout is not None
            line = hub.stdout.readline().split()
            host, port = line[1].removeprefix("mqtt://").split(":")
            parts = (psutil.Process(hub.pid), psutil.Process(int(line[2])))
            window = max(1, IN_FLIGHT // gateways)
            arguments = (host, port, gateways, window, batch, seconds, rate)
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


def duckdb_alone(seconds: float) -> float:
    """Readings per second of DuckDB alone: the same rows as ready Arrow columns, a durable commit per 50 batches."""
    rows = 50 * BATCH
    table = pa.table(
        {
            "series": pa.array([index % 100 for index in range(rows)], pa.int32()),
            "batch": pa.array([index // BATCH for index in range(rows)], pa.int64()),
            "time": pa.array([START + index * 1_000 for index in range(rows)], pa.int64()),
            "value": pa.array([4.5 + index % BATCH for index in range(rows)], pa.float64()),
        }
    )
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as data:
        connection = duckdb.connect(Path(data) / "alone.duckdb", config={"memory_limit": "512MiB", "threads": 2})
        connection.execute("CREATE TABLE reading (series INTEGER, batch BIGINT, time BIGINT, value DOUBLE)")
        connection.register("arrived", table)
        stored, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            connection.execute("INSERT INTO reading SELECT * FROM arrived")
            stored += rows
        took = time.perf_counter() - began
        connection.close()
    return stored / took


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    alone = duckdb_alone(min(3, seconds))
    print(f"{'DuckDB alone, ready columns':42} {alone:10,.0f} readings/s")
    for gateways in (1, 10, 100, 1000):
        row = run(gateways, seconds, 0, BATCH)
        print(
            f"{gateways:5} gateways, batches of {BATCH} readings      {row['per_s']:10,.0f} readings/s"
            f"  {row['per_s'] / alone:5.0%} of DuckDB alone  p50 {row['p50_ms']:.0f} ms  p99 {row['p99_ms']:.0f} ms"
            f"  CPU us/reading: hub {row['hub_us']:.2f} broker {row['broker_us']:.2f} load {row['load_us']:.2f}"
            f"  hub RSS {row['rss_mb']:.0f} MB  unacknowledged {row['unacked']}"
        )
    row = run(10, seconds, 100, 10)
    print(f"1,000 readings/s in batches of 10: p50 {row['p50_ms']:.1f} ms  p99 {row['p99_ms']:.1f} ms")


if __name__ == "__main__":
    main()
