"""Something hangs or lies before the lens: most of what the reference shows is gone and is nowhere else."""

from edge.vision.view import Verdict, View

MIN_LOST = 0.58


def judge(view: View) -> Verdict | None:
    """Say whether most structure is lost. Asked after `moved` and `blurred`, which explain a loss in a better way."""
    if view.lost < MIN_LOST:
        return None
    return Verdict(view.lost, {"lost": view.lost})
