"""What the job worker does for anomalies: judging tracks again, and looking for what is overdue."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from hub.anomalies.overdue import OVERDUE, Overdue
from hub.anomalies.raising import Raising
from hub.anomalies.recording import Recording
from hub.anomalies.rejudging import REJUDGE, Rejudging
from hub.anomalies.settings import AnomaliesSettings
from hub.anomalies.silences import Silences
from hub.jobs.periodic import Periodic
from hub.jobs.worker import Handler
from hub.parts import Parts


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each kind of job."""
    settings = parts.config.anomalies
    raising = Raising(parts.clock, parts.stream, settings)
    recording = Recording(parts.clock, parts.stream, parts.grids, raising)
    rejudging = Rejudging(
        database=parts.database,
        telemetry=parts.telemetry,
        grids=parts.grids,
        settings=settings,
        recording=recording,
    )
    overdue = Overdue(
        database=parts.database,
        clock=parts.clock,
        settings=settings,
        recording=recording,
        silences=Silences(settings, recording),
    )
    return {REJUDGE: rejudging.handle, OVERDUE: overdue.handle}


def periodics(settings: AnomaliesSettings) -> Sequence[Periodic]:
    """Return the jobs that come back."""
    return (Periodic(OVERDUE, timedelta(seconds=settings.silence.check_every_s)),)
