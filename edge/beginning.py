"""With which configuration the agent begins: the hub's that runs, else what ran before, else what the box came with."""

from pathlib import Path
from typing import Final

from edge import config as configuration
from edge.bundles import Bundles, Ledger
from edge.config import Config
from protocol import logs
from protocol.errors import ConfigurationError

_DETAIL: Final = 4000

log = logs.get(__name__)


def begin(file: Path, *, counted: bool) -> Config:
    """Return the configuration to run, checked whole; the profiles that came with it are found from now on.

    `counted`: this is a beginning of the agent, so that a trial that has had too many ends, and a configuration of the
    hub's that cannot run any more is left for good. Raises ConfigurationError when not even the box's own can run.
    """
    bundles = Bundles(configuration.load_identity(file).data)
    ledger = bundles.begun() if counted else bundles.read()
    while True:
        try:
            place = bundles.place(ledger.running)
            bundles.look_in(place)
            return configuration.load(file, place)
        except ConfigurationError as error:
            if not ledger.running:
                raise
            ledger = _left(bundles, ledger, str(error)[:_DETAIL], counted=counted)


def _left(bundles: Bundles, ledger: Ledger, reason: str, *, counted: bool) -> Ledger:
    log.error("configuration_returned", bundle=ledger.running, reason=reason)
    ledger = ledger.returned(reason)
    if counted:
        bundles.write(ledger)
    return ledger
