"""What the job worker does for recalls."""

from collections.abc import Mapping

from hub.anomalies.raising import Raising
from hub.anomalies.recording import Recording
from hub.jobs.worker import Handler
from hub.parts import Parts
from hub.recalls.applying import APPLY, Applying


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each kind of job."""
    raising = Raising(parts.clock, parts.stream, parts.config.anomalies)
    recording = Recording(parts.clock, parts.stream, parts.grids, raising)
    return {APPLY: Applying(parts.database, recording).handle}
