"""Thresholds of the detectors: every figure is data, with the place that it comes from."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from protocol.messages import Severity

LOCATION_JUMP: Final = "location.jump"
LOCATION_SPEED: Final = "location.impossible-speed"
LOCATION_OUTSIDE: Final = "location.outside-grid"
LOCATION_MOVED: Final = "location.moved"
LOCATION_LOST: Final = "location.signal-lost"
DEVICE_SILENT: Final = "device.silent"
GATEWAY_OFFLINE: Final = "gateway.offline"
TERMINAL_SILENT: Final = "terminal.silent"
PRODUCT_RECALLED: Final = "product.recalled"
PRODUCT_RECALL_POSSIBLE: Final = "product.recall-possible"
SEVERITY_OF: Final = {
    LOCATION_JUMP: Severity.INFO,
    LOCATION_SPEED: Severity.MINOR,
    LOCATION_OUTSIDE: Severity.MAJOR,
    LOCATION_MOVED: Severity.MAJOR,
    LOCATION_LOST: Severity.MAJOR,
    DEVICE_SILENT: Severity.MAJOR,
    GATEWAY_OFFLINE: Severity.MAJOR,
    TERMINAL_SILENT: Severity.MINOR,
}
TYPES: Final = tuple(SEVERITY_OF)


class Thresholds(BaseModel):
    """A frozen group of thresholds; a misspelt name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ChainThresholds(Thresholds):
    """When a step between two fixes is plausible (longest consistent chain).

    A step of d metres in dt seconds is plausible when d <= min(fastest, speed_factor * local median speed + spare) * dt
    + acceleration * min(dt, acceleration_s)^2 + sigmas * sigma. The defaults were measured on 239 GeoLife stretches
    with injected faults: glitch recall 0.89 to 0.91, precision 0.87 to 0.88, 0.24 % of good fixes lost.
    Where both fixes carry a Doppler speed, their mean counts as the local speed as well, if it is higher.
    """

    fastest_mps: float = Field(40.0, gt=0, description="Fastest plausible speed, 144 km/h: measured on GeoLife tracks")
    speed_factor: float = Field(1.5, ge=1, description="How much faster than the local median speed a step may be")
    speed_spare_mps: float = Field(2.0, ge=0, description="Added to the scaled median: a walker may set off at once")
    acceleration_mps2: float = Field(0.75, ge=0, description="Half of 1.5 m/s2, an ordinary car's acceleration")
    acceleration_s: float = Field(6.0, gt=0, description="Longest time that one acceleration lasts")
    sigmas: float = Field(4.2, gt=0, description="Share of the receiver's error: three sigma of a difference of two")
    step_cost: float = Field(5.5, gt=0, description="Cost of an implausible step in fixes: six held fixes outweigh it")


class OutsideThresholds(Thresholds):
    """When an officer's device is outside the assigned grid.

    With six fixes beyond max(30 m, 2 sigma): 0.000 / 0.015 / 0.000 false exits per officer-day at 4 / 8 / 15 m of
    noise, against 2.8 / 6.5 / 9.0 for a bare line on single fixes (measured). A thinned track sends fewer fixes: there
    the time that they span counts.
    """

    margin_m: float = Field(30.0, ge=0, description="Distance beyond the border that counts as outside; re-entry at 0")
    sigmas: float = Field(2.0, ge=0, description="The margin is never less than this many sigma of the fix")
    fixes: int = Field(6, ge=1, description="Consecutive fixes outside that make an exit")
    span_s: float = Field(60.0, gt=0, description="Or this long outside by consecutive fixes, for thinned tracks")


class MovedThresholds(Thresholds):
    """When an installed device has left its registered site."""

    margin_m: float = Field(30.0, ge=0, description="Distance of the running median from the site that counts as away")
    sigmas: float = Field(3.0, ge=0, description="The margin is never less than this many sigma of the fix")
    fixes: int = Field(20, ge=3, description="Valid fixes of the running median")
    hold_s: float = Field(300.0, ge=0, description="How long the median stays away before it is told")
    speed_mps: float = Field(3.0, gt=0, description="Speed that an installed device never has")
    speed_fixes: int = Field(3, ge=1, description="Consecutive fixes at that speed that tell at once")
    again_m: float = Field(500.0, gt=0, description="Told again each time that it moved this much further")


class SilenceThresholds(Thresholds):
    """When somebody is overdue: after `intervals` times the device's expected interval, and at least `least_s`."""

    intervals: float = Field(3.0, ge=1, description="How many expected intervals may pass")
    least_s: float = Field(120.0, gt=0, description="Never judged sooner than this")
    fix_interval_s: float = Field(
        60.0, gt=0, description="Expected between fixes of an officer's device: thinned at rest"
    )
    gateway_s: float = Field(120.0, gt=0, description="How long a gateway's link may be down")
    check_every_s: float = Field(15.0, gt=0, description="How often the hub looks for what is overdue")


class JudgingSettings(Thresholds):
    """What is judged when, and what becomes of late data."""

    future_s: float = Field(300.0, gt=0, description="A fix later than its receipt by more than this is not judged")
    horizon_days: float = Field(14.0, gt=0, description="A fix older than its receipt by more than this is not judged")
    settle_s: float = Field(10.0, ge=0, description="How long late fixes are gathered before the track is judged again")


class AlertingSettings(Thresholds):
    """Which anomalies people are told of, and which open a task by themselves."""

    alert_from: Severity = Field(Severity.MINOR, description="Least severity that raises an alert")
    task_from: Severity = Field(Severity.CRITICAL, description="Least severity that opens a task without a person")
    task_types: tuple[str, ...] = Field(
        (LOCATION_MOVED,),
        description="Types that open a task whatever their severity; camera alerts wait for verification (APL Art. 41)",
    )


class AnomaliesSettings(Thresholds):
    """Everything that the anomaly pipeline is told."""

    chain: ChainThresholds = ChainThresholds()
    outside: OutsideThresholds = OutsideThresholds()
    moved: MovedThresholds = MovedThresholds()
    silence: SilenceThresholds = SilenceThresholds()
    judging: JudgingSettings = JudgingSettings()
    alerting: AlertingSettings = AlertingSettings()
    severities: dict[str, Severity] = Field(
        SEVERITY_OF, description="Severity by type of what the hub finds; a device's own event brings its own"
    )
    event_prefixes: tuple[str, ...] = Field(
        (
            "camera.",
            "thermometer.",
            "terminal.",
            "certificate.",
            "installation.",
            "recorder.unreadable",
            "recorder.no_room",
            "recorder.copy_differs",
            "upload.refused",
        ),
        description="Types of device events that are anomalies, or how those begin",
    )

    @field_validator("severities")
    @classmethod
    def _complete(cls, given: dict[str, Severity]) -> dict[str, Severity]:
        """What is not given keeps its severity; a type that the hub does not find is refused."""
        unknown = sorted(set(given) - set(SEVERITY_OF))
        if unknown:
            raise ValueError(f"no such type: {', '.join(unknown)}; there are {', '.join(TYPES)}")
        return SEVERITY_OF | given
