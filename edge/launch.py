"""Begins the agent of the current slot, and goes back to the other slot when a new release does not prove itself.

    python3 launch.py --config /etc/diwang/site.toml        (what follows is handed to the agent)

It lies beside the slots `a` and `b`, and needs nothing but the standard library: it must outlive every release. Without
a trial the agent takes this process over. On trial it is watched: a release that does not say within the time given
that it has reached the hub, or that ends too often, is left, and its name kept, so that it is not tried again.
"""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

MOST_BOOTS = 3
STOPS_WITHIN_S = 20
BEGIN_ANEW = 75
ROOT = Path(__file__).resolve().parent
STATE = ROOT / "state.json"
CURRENT = ROOT / "current"


def main() -> int:
    """Begin the agent, as often as it takes, and return its exit status."""
    while True:
        # -P: what lies in the working folder is not the agent
        command = [str(CURRENT / "bin" / "python"), "-P", "-m", "edge.process", *sys.argv[1:]]
        trial = read()
        if not trial.get("trying"):
            os.execv(command[0], command)  # noqa: S606 - the agent takes over
        if CURRENT.readlink().name != trial["slot"]:
            write({})  # a power cut came between: the trial never began, or was already lost
            continue
        if trial["boots"] >= MOST_BOOTS:
            go_back(trial, f"it ended {MOST_BOOTS} times before it reached the hub")
            continue
        write({**trial, "boots": trial["boots"] + 1})
        status = watched(command, trial)
        if status is not None:
            return status


def watched(command: list[str], trial: dict[str, Any]) -> int | None:
    """Run a release on trial; return its status when it ended for good, None to begin anew."""
    hears, says = os.pipe()
    agent = subprocess.Popen(  # noqa: S603 - the agent
        command, env={**os.environ, "DIWANG_TRIAL_FD": str(says)}, pass_fds=(says,)
    )
    os.close(says)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: agent.send_signal(number))
    ended = os.pidfd_open(agent.pid)
    try:
        if not heard_from({hears, ended}, trial["within_s"]):
            go_back(trial, f"it did not reach the hub within {trial['within_s']:.0f} s")
            stop(agent)
            return None
        status = agent.wait()
        for_good = status == 0 or (status != BEGIN_ANEW and not read().get("trying"))
        return status if for_good else None
    finally:
        os.close(hears)
        os.close(ended)


def heard_from(descriptors: set[int], within_s: float) -> bool:
    """Wait until the agent says that it has proven itself, or ends."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def stop(agent: "subprocess.Popen[bytes]") -> None:
    """End the agent, at first politely."""
    agent.terminate()
    try:
        agent.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()


def go_back(trial: dict[str, Any], reason: str) -> None:
    """Make the previous slot the current one, then keep why."""
    print(f"release {trial['release']} is left: {reason}", file=sys.stderr, flush=True)  # noqa: T201 - the only log
    fresh = ROOT / "current.fresh"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(trial["previous"])
    fresh.replace(CURRENT)
    sync(ROOT)
    write({"rejected": trial["release"], "reason": reason})


def read() -> dict[str, Any]:
    """Return the state; none, or one that cannot be read, is no trial."""
    try:
        state = json.loads(STATE.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write(state: dict[str, Any]) -> None:
    """Replace the state so that a power cut leaves the old or the new."""
    fresh = ROOT / ".state.json.fresh"
    with fresh.open("wb") as file:
        file.write(json.dumps(state).encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(STATE)
    sync(ROOT)


def sync(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
