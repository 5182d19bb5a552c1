"""A device that should speak does not, or a gateway's link is down.

When a gateway goes, its devices go with it: that is one thing to tell people, not twenty. So a device's silence that
falls due while its gateway was offline counts only if its sisters were heard meanwhile, by their own clocks.
"""

from collections.abc import Iterable, Iterator, Sequence

from hub.anomalies.coverage import Gap, overlap_us
from hub.anomalies.finding import Finding
from hub.anomalies.settings import DEVICE_SILENT, GATEWAY_OFFLINE, AnomaliesSettings

Outage = tuple[int, int | None]
"""When a gateway was offline, as the hub saw it; None while it is."""


class Silent:
    """Nothing heard for three expected intervals and at least 120 s."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._silence = settings.silence
        self._device = settings.severities[DEVICE_SILENT]
        self._gateway = settings.severities[GATEWAY_OFFLINE]

    def limit_us(self, expected_interval_s: float) -> int:
        """Return the longest silence that is nothing to wonder at."""
        return round(max(self._silence.intervals * expected_interval_s, self._silence.least_s) * 1e6)

    def judge(
        self,
        gaps: Iterable[Gap],
        limit_us: int,
        now_us: int | None,
        outages: Sequence[Outage] = (),
        sisters: Sequence[Sequence[tuple[int, int]]] = (),
    ) -> Iterator[Finding]:
        """Yield one finding per silence. Without `now_us` a silence that lasts is not judged."""
        for gap in gaps:
            known_us = gap.until_us if gap.until_us is not None else now_us
            if known_us is None or known_us - gap.since_us <= limit_us:
                continue
            due_us = gap.since_us + limit_us
            offline = any(began - limit_us <= due_us and (until is None or due_us <= until) for began, until in outages)
            if offline and not _others_spoke(sisters, gap.since_us, known_us, limit_us):
                continue
            yield Finding(
                type=DEVICE_SILENT,
                severity=self._device,
                began_us=gap.since_us,
                decided_us=due_us,
                ended_us=gap.until_us,
                summary=f"> {limit_us / 1e6:,.0f} s",
            )

    def offline(self, since_us: int, now_us: int) -> Finding | None:
        """Return the finding of a gateway whose link has been down since then, once that is too long."""
        if now_us - since_us <= self._silence.gateway_s * 1e6:
            return None
        return Finding(
            type=GATEWAY_OFFLINE,
            severity=self._gateway,
            began_us=since_us,
            decided_us=now_us,
            summary=f"> {self._silence.gateway_s:,.0f} s",
        )


def _others_spoke(sisters: Sequence[Sequence[tuple[int, int]]], since_us: int, until_us: int, limit_us: int) -> bool:
    return any(overlap_us(spans, since_us, until_us) >= limit_us for spans in sisters)
