"""The view is the same but its detail is gone: grease, steam on the lens, a lens turned out of focus."""

from edge.vision.view import Verdict, View

MIN_DULLED = 0.7
MIN_COARSE_LIKENESS = 0.5


def judge(view: View) -> Verdict | None:
    """Say whether nearly all detail is lost while the large shapes still stand where they were."""
    if view.dulled < MIN_DULLED or view.coarse_likeness < MIN_COARSE_LIKENESS:
        return None
    return Verdict(view.dulled, {"dulled": view.dulled, "likeness": view.coarse_likeness})
