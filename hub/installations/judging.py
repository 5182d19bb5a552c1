"""Whether an installation works: facts in, a verdict for each thing that was tried out. No database, no clock.

Bounds that are not of our own making: sharpness of pictures in focus is that of `drivers/camera`'s measures (8 to 30 in
kitchens in focus, at most 2.5 when blurred by two dots of 640); a dilution of precision of more than 5 is "moderate" or
worse (Langley, Dilution of Precision, GPS World 1999).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

ANSWER_WITHIN: Final = timedelta(seconds=30)
CLOCK_OFF_S: Final = 2.0
ROUND_TRIP_S: Final = 5.0
SHARP: Final = 4.0
DARK: Final = 0.08
FRESH: Final = timedelta(minutes=5)
WEAK_HDOP: Final = 5.0
FAR_M: Final = 200.0


class Verdict(StrEnum):
    """What was found: `waiting` may still become one of the others."""

    GOOD = "good"
    BAD = "bad"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at: of a device, or of the box where `device` is empty. `code` names its words."""

    code: str
    verdict: Verdict
    device: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command of the trial: its outcome (None while there is none) and how long it took in seconds."""

    outcome: str | None
    took_s: float | None = None
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFix:
    """The newest position of a device."""

    at: datetime
    hdop: float | None
    satellites: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """One device as the hub knows it. `said_at` is its newest reading, `unregistered` what its legal register lacks."""

    device: str
    driver: str
    status: str
    detail: str = ""
    said_at: datetime | None = None
    fix: LastFix | None = None
    order: Order | None = None
    unregistered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a verdict rests on, at one time."""

    now: datetime
    tried_at: datetime | None
    online: bool
    clock_offset_s: float | None
    disk_free_bytes: float | None
    bytes_per_day: float | None
    trial: Order | None
    alert_after_s: float | None
    subject: bool
    placed: bool
    away_m: float | None
    equipment: tuple[Equipment, ...]


def judge(facts: Facts) -> tuple[Item, ...]:
    """Return every verdict, the box's own first."""
    return (
        *_place(facts),
        *_box(facts),
        *_way(facts),
        *(item for each in facts.equipment for item in _of(each, facts)),
    )


def ready(items: tuple[Item, ...]) -> bool:
    """Tell whether a certificate may say that the installation works."""
    return all(item.verdict is Verdict.GOOD for item in items)


def _place(facts: Facts) -> Iterator[Item]:
    yield Item("subject", _good(facts.subject))
    if not facts.placed or facts.away_m is None:
        yield Item("position", _good(facts.placed))
        return
    near = facts.away_m <= FAR_M
    yield Item("position_near" if near else "position_far", _good(near), facts={"metres": f"{facts.away_m:.0f}"})


def _box(facts: Facts) -> Iterator[Item]:
    yield Item("online", _good(facts.online))
    if facts.clock_offset_s is None:
        yield Item("clock", Verdict.WAITING)
    else:
        seconds = {"seconds": f"{facts.clock_offset_s:+.1f}"}
        yield Item("clock_is", _good(abs(facts.clock_offset_s) <= CLOCK_OFF_S), facts=seconds)
    if facts.disk_free_bytes is None or facts.bytes_per_day is None:
        yield Item("disk", Verdict.WAITING)
    else:
        shown = {
            "free": f"{facts.disk_free_bytes / 1e6:.0f}",
            "day": f"{facts.bytes_per_day / 1e6:.1f}",
        }
        yield Item("disk_lasts", _good(facts.disk_free_bytes > facts.bytes_per_day), facts=shown)


def _way(facts: Facts) -> Iterator[Item]:
    """The way of an event to an alert, and of an order to the box and back."""
    if facts.trial is None or facts.tried_at is None:
        yield Item("untried", Verdict.BAD)
        return
    late = facts.now - facts.tried_at > ANSWER_WITHIN
    if facts.trial.outcome is None:
        yield Item("round_trip", Verdict.BAD if late else Verdict.WAITING)
    else:
        took_s = facts.trial.took_s or 0.0
        good = facts.trial.outcome == "done" and took_s <= ROUND_TRIP_S
        yield Item("round_trip_took", _good(good), facts={"seconds": f"{took_s:.2f}", "outcome": facts.trial.outcome})
    if facts.alert_after_s is None:
        yield Item("alert", Verdict.BAD if late else Verdict.WAITING)
    else:
        yield Item("alert_after", Verdict.GOOD, facts={"seconds": f"{facts.alert_after_s:.2f}"})


def _of(each: Equipment, facts: Facts) -> Iterator[Item]:
    if each.status != "ok":
        yield Item("device_unwell", Verdict.BAD, each.device, {"status": each.status, "detail": each.detail})
        return
    family = each.driver.partition(".")[0]
    if each.unregistered:
        yield Item("unregistered", Verdict.BAD, each.device, {"missing": ", ".join(each.unregistered)})
    if family == "camera":
        yield _picture(each, facts)
    elif family == "printer":
        yield _ticket(each, facts)
    elif family == "gps":
        yield _fix(each, facts)
    elif family == "thermometer":
        fresh = each.said_at is not None and facts.now - each.said_at <= FRESH
        yield Item("reading" if fresh else "no_reading", _good(fresh), each.device)
    else:
        yield Item("device_well", Verdict.GOOD, each.device)


def _picture(each: Equipment, facts: Facts) -> Item:
    waiting = _waiting("picture", each, facts)
    if waiting is not None:
        return waiting
    data = each.order.data if each.order else {}
    sharpness, brightness = data.get("sharpness"), data.get("brightness")
    if not isinstance(sharpness, int | float) or not isinstance(brightness, int | float):
        return Item("picture", Verdict.BAD, each.device)
    measured = {"sharpness": f"{sharpness:.1f}", "brightness": f"{brightness:.2f}"}
    if brightness < DARK:
        return Item("picture_dark", Verdict.BAD, each.device, measured)
    if sharpness < SHARP:
        return Item("picture_blurred", Verdict.BAD, each.device, measured)
    return Item("picture_sharp", Verdict.GOOD, each.device, measured)


def _ticket(each: Equipment, facts: Facts) -> Item:
    waiting = _waiting("ticket", each, facts)
    if waiting is not None:
        return waiting
    result = str(each.order.data.get("result", "")) if each.order else ""
    if result == "sent_unconfirmed":  # by a printer that never answers: the certificate says so, and a person looks
        return Item("ticket_sent", Verdict.GOOD, each.device)
    return Item("ticket_printed", _good(result == "printed"), each.device, {"result": result})


def _waiting(code: str, each: Equipment, facts: Facts) -> Item | None:
    """Return the verdict on an order that was not carried out, None on one that was."""
    if each.order is None or facts.tried_at is None:
        return Item("device_untried", Verdict.BAD, each.device)
    if each.order.outcome is None:
        late = facts.now - facts.tried_at > ANSWER_WITHIN
        return Item(code, Verdict.BAD if late else Verdict.WAITING, each.device)
    if each.order.outcome != "done":
        reason = str(each.order.data.get("reason", ""))[:200]
        return Item("order_failed", Verdict.BAD, each.device, {"outcome": each.order.outcome, "reason": reason})
    return None


def _fix(each: Equipment, facts: Facts) -> Item:
    if each.fix is None or facts.now - each.fix.at > FRESH:
        return Item("no_fix", Verdict.BAD, each.device)
    shown = {"hdop": "?" if each.fix.hdop is None else f"{each.fix.hdop:.1f}", "satellites": str(each.fix.satellites)}
    weak = each.fix.hdop is not None and each.fix.hdop > WEAK_HDOP
    return Item("fix_weak" if weak else "fix_good", _good(not weak), each.device, shown)


def _good(good: bool) -> Verdict:  # noqa: FBT001 - it is what the word says
    return Verdict.GOOD if good else Verdict.BAD
