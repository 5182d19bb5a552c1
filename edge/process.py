"""The agent's process: `python -m edge.process --config site.toml [--check]`.

Exit codes: 0 stopped on purpose, 1 a bug (with its trace), 2 a mistake in the configuration, 3 the outbox cannot be
opened, 4 stopped on purpose, but something did not end within STOPPED_WITHIN_S and was cut off. SIGTERM and SIGINT
stop it; SIGHUP has it begin anew with its configuration as it then stands, in the same process.
"""

import argparse
import asyncio
import os
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge import config as configuration
from edge.agent import Agent
from edge.beginning import begin
from edge.config import Config, Secret
from edge.link import tls_context
from edge.notify import Notifier
from edge.recent_logs import RecentLogs
from edge.slots import Slots
from edge.stopping import BEGIN_ANEW, STOP, Act, Deadline, hold_back, told
from protocol import logs
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, StoreUnavailableError

EXIT_CONFIGURATION: Final = 2
EXIT_STORE: Final = 3
EXIT_HUNG: Final = 4
STOPPED_WITHIN_S: Final = 15.0
_OWN_ARGUMENTS: Final = 3  # python -m edge.process

log = logs.get(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the agent, or check its configuration, and return the exit code."""
    parser = argparse.ArgumentParser(prog="diwang edge run", description="The edge agent of one box.")
    parser.add_argument("--config", type=Path, required=True, help="TOML file of the box")
    parser.add_argument("--check", action="store_true", help="only check the file and its drivers' options")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    options = parser.parse_args(arguments)
    if not options.check:
        hold_back()  # until it can be obeyed: an order that comes meanwhile would end the process
    try:
        config = begin(options.config, counted=not options.check)
        secret = configuration.password(config.hub)
        tls = tls_context(config.hub, tls=config.broker[2])
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person at the terminal
        return EXIT_CONFIGURATION
    if options.check:
        print(f"{options.config}: fine, {len(config.devices)} devices")  # noqa: T201 - the same
        return 0
    recent = RecentLogs()
    logs.configure(program="edge", level=options.log_level, also=recent)
    again = [sys.executable, "-m", "edge.process", *(arguments or sys.argv[1:])]
    try:
        restart = asyncio.run(_run(options.config, config, secret, tls, recent=recent, again=again))
    except StoreUnavailableError as error:
        log.critical("outbox_cannot_be_opened", reason=str(error))
        return EXIT_STORE
    if restart:
        _begin_anew(config, again)
    return 0


def _begin_anew(config: Config, again: list[str]) -> None:
    """End in favour of this program again, or of a new release of it that is to take over."""
    slots = Slots.of(config.updates.slots)
    if slots.read().trying:
        slots.begin_anew(again[_OWN_ARGUMENTS:])
    os.execv(sys.executable, again)  # noqa: S606 - this program again


async def _run(
    file: Path, config: Config, secret: Secret, tls: ssl.SSLContext | None, *, recent: RecentLogs, again: list[str]
) -> bool:
    def cut_off() -> None:
        # Only what is not on the disk could be lost here, and nobody was told that it is safe.
        log.critical("not_stopped_in_time", within_s=STOPPED_WITHIN_S)
        if agent.restart_asked:
            _begin_anew(config, again)
        os._exit(EXIT_HUNG)

    def stop() -> None:
        deadline.begin()
        loop.call_soon_threadsafe(agent.stop)

    def begin_anew() -> None:
        deadline.begin()
        loop.call_soon_threadsafe(agent.begin_anew)

    deadline = Deadline(STOPPED_WITHIN_S, cut_off)
    agent = Agent(config, secret, tls, SystemClock(), Notifier(), file=file, recent=recent, ending=deadline.begin)
    loop = asyncio.get_running_loop()
    acts: dict[int, Act] = {**dict.fromkeys(STOP, stop), BEGIN_ANEW: begin_anew}
    with told(acts):
        await agent.run()
    return agent.restart_asked


if __name__ == "__main__":
    sys.exit(main())
