"""A leap of the track: faster than anything drives, or merely not how this device was moving."""

from collections.abc import Iterable

from hub.anomalies.chain import Hop
from hub.anomalies.finding import Finding
from hub.anomalies.settings import LOCATION_JUMP, LOCATION_SPEED, AnomaliesSettings


class Leaps:
    """Judges the steps that the chain found not plausible, although the place that they led to held."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._fastest = settings.chain.fastest_mps
        self._severities = settings.severities

    def judge(self, hop: Hop, decided_us: int) -> Iterable[Finding]:
        """Yield the finding of one hop; it is over when it is found."""
        kind = LOCATION_SPEED if hop.speed_mps > self._fastest else LOCATION_JUMP
        seconds = (hop.arrival.at_us - hop.origin.at_us) / 1e6
        yield Finding(
            type=kind,
            severity=self._severities[kind],
            began_us=hop.origin.at_us,
            decided_us=decided_us,
            ended_us=hop.arrival.at_us,
            summary=f"{hop.metres:,.0f} m / {seconds:,.0f} s ({hop.speed_mps * 3.6:,.0f} km/h)",
            data={
                "metres": round(hop.metres, 1),
                "speed_mps": round(hop.speed_mps, 2),
                "from": [hop.origin.latitude, hop.origin.longitude],
                "to": [hop.arrival.latitude, hop.arrival.longitude],
            },
        )
