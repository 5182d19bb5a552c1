"""Whether a gateway runs what it is to run, from what is desired and what it reported."""

from typing import Literal

from hub.configs.model import ConfigReport, ConfigVersion

Standing = Literal["unmanaged", "pending", "trying", "in_step", "refused", "returned"]


def standing(desired: ConfigVersion | None, report: ConfigReport | None) -> Standing:
    """Return where a gateway stands.

    unmanaged: nobody has said what it is to run. pending: it has not fetched what is desired yet. trying: it runs it,
    and has yet to show that it still reaches the hub. refused: it cannot run it. returned: it ran it and lost the hub,
    or did not start, and went back to what it ran before.
    """
    if desired is None:
        return "unmanaged"
    if report is None:
        return "pending"
    wanted = {desired.bundle, desired.release} - {""}
    if report.outcome == "refused" and report.about in wanted:
        return "refused"
    if report.outcome == "returned" and report.about in wanted:
        return "returned"
    if report.bundle != desired.bundle or (desired.release and report.agent != desired.release):
        return "pending"
    return "trying" if report.outcome == "trying" else "in_step"
