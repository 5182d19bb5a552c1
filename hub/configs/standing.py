"""Whether a gateway runs what it is to run, from what is desired and what it reported."""

from typing import Final, Literal

from hub.configs.model import ConfigReport, ConfigVersion

Standing = Literal["unmanaged", "pending", "waiting", "trying", "in_step", "refused", "returned"]

_OF_WHAT_IS_WANTED: Final[dict[str, Standing]] = {"waiting": "waiting", "refused": "refused", "returned": "returned"}
"""What a gateway may report of a bundle or release that it does not run."""


def standing(desired: ConfigVersion | None, report: ConfigReport | None) -> Standing:
    """Return where a gateway stands.

    unmanaged: nobody has said what it is to run. pending: it has not fetched what is desired yet. waiting: it has it,
    and lets its devices finish what they are at. trying: it runs it, and has yet to show that it still reaches the hub.
    refused: it cannot run it. returned: it ran it and lost the hub, or did not start, and went back to what it ran
    before.
    """
    if desired is None:
        return "unmanaged"
    if report is None:
        return "pending"
    wanted = {desired.bundle, desired.release} - {""}
    if report.about in wanted and (told := _OF_WHAT_IS_WANTED.get(report.outcome)):
        return told
    if report.bundle != desired.bundle or (desired.release and report.agent != desired.release):
        return "pending"
    return "trying" if report.outcome == "trying" else "in_step"
