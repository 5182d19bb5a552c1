"""The fault test-bed: real programs, hurt at random, and a ledger at the source that says what must have arrived.

    python -m tests.faults.testbed --seconds 180 [--seed N]

Prints what was done and when, and at the end `produced, stored, lost, duplicated, phantom` and the times to recovery.
The exit status is 0 only when nothing was lost, nothing is there twice, and nothing is there that was never said.
"""

import argparse
import asyncio
import itertools
import secrets
import shutil
import signal
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from diwang.demo import receiver
from tests.faults import ledger, nemesis
from tests.faults.peripherals import Peripherals
from tests.faults.programs import Hub, Tmpfs
from tests.simulators.edge_process import EdgeProcess, faketime
from tests.simulators.fault_proxy import FaultProxy
from tests.simulators.ports import free_port

GATEWAYS = ("box-1", "box-2")
SKEWED = "box-2"
DEVICES = {
    "readings": 'rate = 40.0, burst = 4, kind = "reading"',
    "events": 'rate = 2.0, kind = "event", event_type = "camera.covered", image_bytes = 3000',
    "positions": 'rate = 2.0, kind = "position"',
}
MORE = "[outbox]\nmax_bytes = 33554432\n[uplink]\nack_timeout_s = 2.0\ntimeout_s = 2.0\n"
HEALED_S = 90.0
FLOW_S = 45.0
HUB_DISK_MB = 400
EDGE_DISK_MB = 96


class Doors(NamedTuple):
    """Where a box finds the hub: its broker through the bad link, its HTTP side directly."""

    mqtt_port: int
    api: str


async def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=180.0)
    arguments.add_argument("--seed", type=int, default=None)
    arguments.add_argument("--keep", action="store_true", help="leave the folder with all logs behind")
    given = arguments.parse_args()
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="diwang-faults-"))
    print(f"seed {seed}", flush=True)
    try:
        clean = await _run(folder, seed, given.seconds)
    finally:
        if given.keep:
            print(f"logs in {folder}")
    if clean and not given.keep:
        shutil.rmtree(folder)
    elif not given.keep:
        print(f"logs in {folder}")
    return 0 if clean else 1


async def _run(folder: Path, seed: int, seconds: float) -> bool:
    async with AsyncExitStack() as stack:
        hub_disk = Tmpfs(folder / "hub", HUB_DISK_MB)
        stack.callback(hub_disk.unmount)
        edge_disk = Tmpfs(folder / "boxes", EDGE_DISK_MB)
        stack.callback(edge_disk.unmount)
        hub = Hub(hub_disk.folder / "data", folder / "hub.log", http_port=free_port(), mqtt_port=free_port())
        key = hub.new_key()
        await hub.start()
        stack.push_async_callback(_end, hub)
        await hub.ready()
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=hub.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=10)
        )
        proxy = await stack.enter_async_context(FaultProxy(hub.mqtt_port))
        told: list[dict[str, Any]] = []
        await _webhook(http, stack, told)
        clock = folder / "clock"
        clock.write_text("+0")
        side = Peripherals(folder, http, GATEWAYS[0], Random(seed))
        await stack.enter_async_context(side.standing())
        edges = {}
        for gateway in GATEWAYS:
            doors = Doors(proxy.port, hub.url)
            more = side.devices() if gateway == GATEWAYS[0] else ""
            edges[gateway] = await _box(http, gateway, folder, disk=edge_disk, doors=doors, more=more)
            await edges[gateway].start()
            stack.push_async_callback(edges[gateway].kill)
        reader = ledger.Reader(http)
        bed = nemesis.Bed(hub, edges, proxy, hub_disk, edge_disk, clock, Random(seed), flowing=lambda: _flowing(reader))
        await bed.flowing()
        living = asyncio.create_task(side.live())
        try:
            faults = await _hurt(bed, seconds)
        finally:
            living.cancel()
            await asyncio.wait((living,))
        healed = await _heal(bed, reader)
        await side.settle(reader, HEALED_S)
        counts = await ledger.count(reader, edges)
        effects = await _effects(reader, told)
    well = _report(counts, effects, bed, faults, healed)
    print(f"{side.tickets}\n{side.clips}")
    return well and side.tickets.is_well and side.clips.is_well


async def _end(hub: Hub) -> None:
    await hub.end(signal.SIGKILL)


async def _webhook(http: httpx.AsyncClient, stack: AsyncExitStack, told: list[dict[str, Any]]) -> None:
    port = free_port()
    secret: list[bytes] = []
    stack.enter_context(receiver.listening(port, lambda: secret[0], told.append))
    channel = {"name": "inspector", "kind": "webhook", "url": f"http://127.0.0.1:{port}/"}
    answer = await http.post("/api/v1/channels", json=channel)
    answer.raise_for_status()
    secret.append(receiver.key_of(answer.json()["secret"]))


async def _box(
    http: httpx.AsyncClient, gateway: str, folder: Path, *, disk: Tmpfs, doors: Doors, more: str
) -> EdgeProcess:
    """Make a box whose own data lie on the small disk; its ledgers and its log do not."""
    answer = await http.post("/api/v1/gateways", json={"gateway": gateway})
    answer.raise_for_status()
    config = folder / gateway / "site.toml"
    config.parent.mkdir()
    parts = [
        f'[gateway]\nid = "{gateway}"\ndata = "{disk.folder / gateway}"\n',
        f'[hub]\nbroker = "mqtt://127.0.0.1:{doors.mqtt_port}"\napi = "{doors.api}"\n',
        MORE,
        more,
    ]
    parts += [
        f'[devices.{name}]\ndriver = "tests.simulators.load_driver:SPEC"\nthin = false\n'
        f'options = {{ ledger = "{config.parent / name}", {options} }}\n'
        for name, options in DEVICES.items()
    ]
    config.write_text("\n".join(parts))
    environment = {
        "EDGE_BROKER_PASSWORD": answer.json()["password"],
        "DIWANG_FIRMWARE_CONFIGS": str(folder / "profiles"),
    }
    return EdgeProcess(config, environment=environment | (faketime(folder / "clock") if gateway == SKEWED else {}))


async def _stored(reader: ledger.Reader) -> float:
    """Return a number that grows with every stored reading; raise httpx.HTTPError while the hub does not answer."""
    values = (await reader.get("/telemetry/last", device="readings")).json()["items"]
    return sum(float(item["value"]) for item in values if item["name"] == "n")


async def _flowing(reader: ledger.Reader) -> float:
    begun = time.monotonic()
    before: float | None = None
    while time.monotonic() - begun < FLOW_S:
        try:
            now = await _stored(reader)
        except httpx.HTTPError:
            now = -1.0
        if now >= 0:
            if before is not None and now > before:
                return time.monotonic() - begun
            before = now if before is None else before
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing new was stored within {FLOW_S:.0f} s")


async def _hurt(bed: nemesis.Bed, seconds: float) -> int:
    begun = time.monotonic()
    for number in itertools.count():
        if time.monotonic() - begun >= seconds:
            return number
        if number == 0:
            faults = iter(nemesis.order(bed.chance))
        await asyncio.sleep(bed.chance.uniform(0.2, 2.0))
        fault = next(faults)
        print(f"{time.monotonic() - begun:7.1f} s  {fault.__name__}", flush=True)
        await fault(bed)
    raise AssertionError("the count never ends")


async def _heal(bed: nemesis.Bed, reader: ledger.Reader) -> float:
    """Let the sources fall silent, and wait until everything promised has arrived; return how long that took.

    After HEALED_S whatever is missing counts as lost.
    """
    begun = time.monotonic()
    await bed.hub.ready()
    for edge in bed.edges.values():
        await edge.end()
        edge.config.write_text(edge.config.read_text().replace("rate = ", "total = 1, rate = "))
        await edge.start()
    while time.monotonic() - begun < HEALED_S:
        if not any(each.lost for each in await ledger.count(reader, bed.edges)):
            break
        await asyncio.sleep(0.5)
    return time.monotonic() - begun


async def _effects(reader: ledger.Reader, told: list[dict[str, Any]]) -> dict[str, Any]:
    """What must have happened exactly once per event: alerts counted, archives written, inspectors told."""
    alerts = [item for item in await reader.items("/alerts") if item["type"] == "camera.covered"]
    gateways = [(await reader.get(f"/gateways/{name}")).json() for name in GATEWAYS]
    return {
        "alerts": len(alerts),
        "times seen": sum(item["times_seen"] for item in alerts),
        "notifications": len(told),
        "dead letters": len(await reader.items("/dead-letters")),
        "gaps": sum(len(item["gaps"]) for item in gateways),
        "dropped on the boxes": sum(item["outbox"]["dropped"] for item in gateways),
    }


def _report(
    counts: list[ledger.Count], effects: dict[str, Any], bed: nemesis.Bed, faults: int, healed_s: float
) -> bool:
    print(f"\n{'device':20}{'produced':>10}{'kept':>8}{'stored':>8}{'lost':>6}{'duplicated':>12}{'phantom':>9}")
    for each in counts:
        print(
            f"{each.device:20}{each.said:>10}{each.kept:>8}{each.stored:>8}{each.lost:>6}{each.duplicated:>12}"
            f"{each.phantom:>9}"
        )
    lost, duplicated, phantom = (
        sum(getattr(each, name) for each in counts) for name in ("lost", "duplicated", "phantom")
    )
    print(f"\nfaults {faults}; everything delivered {healed_s:.1f} s after the last one")
    for fault, times in sorted(bed.recoveries.items()):
        typical, worst = statistics.median(times), max(times)
        print(f"  {fault:18} flowing again after {typical:5.1f} s (median), {worst:5.1f} s (worst of {len(times)})")
    for name, value in effects.items():
        print(f"  {name}: {value}")
    events = sum(each.stored for each in counts if each.device.endswith("/events"))
    expected = {"times seen": events, "alerts": len(GATEWAYS), "dead letters": 0, "gaps": 0}
    wrong = [
        f"{name}: {effects[name]} where {right} were right"
        for name, right in expected.items()
        if effects[name] != right
    ]
    print(
        f"\nproduced {sum(each.said for each in counts)}, stored {sum(each.stored for each in counts)}, "
        f"lost {lost}, duplicated {duplicated}, phantom {phantom}"
    )
    for text in wrong:
        print(f"wrong: {text}")
    return not (lost or duplicated or phantom or wrong)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
