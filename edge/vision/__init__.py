"""Camera health: covered, moved, blurred, dark and frozen pictures, each an event that begins and ends."""

from pathlib import Path

from drivers.camera.analysis import Analysis, AnalysisSpec
from edge.vision.options import HealthOptions


def _open(options: HealthOptions, folder: Path, open_types: frozenset[str]) -> Analysis:
    # The agent loads this specification to check the options; only the camera's own process may load OpenCV.
    from edge.vision.health import open_health  # noqa: PLC0415

    return open_health(options, folder, open_types)


SPEC = AnalysisSpec(
    name="health",
    summary="Says when a camera is covered, moved, blurred, dark or frozen",
    options=HealthOptions,
    open=_open,
)
