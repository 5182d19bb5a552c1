"""The command `trial`: the box says an event that means nothing, so that its whole way to an alert can be watched."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from drivers.contract import Report
from edge.config import GATEWAY_DEVICE
from protocol.clock import Clock
from protocol.errors import DeviceRefusedError
from protocol.messages import SEVERITIES, Event, EventState, Severity

TYPE: Final = "installation.trial"
_LONGEST: Final = 64


async def say_trial(clock: Clock, keep: Callable[[Report], Awaitable[None]], args: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the event on the disk, as every other, and answer with its id.

    `installation` is handed through; `severity` is what the hub needs to raise an alert. Raises DeviceRefusedError for
    arguments that mean nothing.
    """
    installation, severity = args.get("installation", ""), args.get("severity", Severity.MINOR.value)
    if not isinstance(installation, str) or len(installation) > _LONGEST:
        raise DeviceRefusedError(f"installation: a name of at most {_LONGEST} characters is expected")
    if severity not in SEVERITIES:
        raise DeviceRefusedError(f"severity: one of {', '.join(SEVERITIES)} is expected")
    event = Event(
        device=GATEWAY_DEVICE,
        at=clock.now(),
        type=TYPE,
        severity=Severity(severity),
        id=clock.new_id(),
        state=EventState.INSTANT,
        data={"installation": installation},
    )
    await keep(Report(event))
    return {"event": str(event.id)}
