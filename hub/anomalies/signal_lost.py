"""An officer on duty sends no fixes.

Decided on the gaps of device time between fixes and on the roster, so that a backlog that fills a gap disproves it and
one that does not confirms it under the same identity.
"""

from collections.abc import Iterable, Iterator

from hub.anomalies.circumstances import Duties
from hub.anomalies.coverage import Gap
from hub.anomalies.finding import Finding
from hub.anomalies.settings import LOCATION_LOST, AnomaliesSettings


class SignalLost:
    """No fix on duty for three expected intervals and more than 120 s."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._silence = settings.silence
        self._severity = settings.severities[LOCATION_LOST]

    def limit_us(self, expected_interval_s: float | None) -> int:
        """Return the longest gap between fixes that is nothing to wonder at."""
        interval_s = expected_interval_s or self._silence.fix_interval_s
        return round(max(self._silence.intervals * interval_s, self._silence.least_s) * 1e6)

    def judge(self, gaps: Iterable[Gap], duties: Duties, limit_us: int, now_us: int | None) -> Iterator[Finding]:
        """Yield one finding per gap and stretch of duty. Without `now_us` a gap that lasts is not judged."""
        stretches = duties.stretches()
        for gap in gaps:
            for since_us, until_us in stretches:
                began_us = max(gap.since_us, since_us)
                known_us = gap.until_us if gap.until_us is not None else now_us
                if known_us is None or min(known_us, until_us) - began_us <= limit_us:
                    continue
                over = gap.until_us is not None or known_us >= until_us
                yield Finding(
                    type=LOCATION_LOST,
                    severity=self._severity,
                    began_us=began_us,
                    decided_us=began_us + limit_us,
                    ended_us=min(known_us, until_us) if over else None,
                    summary=f"> {limit_us / 1e6:,.0f} s",
                )
