"""What looks at a camera's pictures: the contract of the analyses that a camera's process runs by name.

An analysis is installed under the entry-point group `diwang.analyses` and named in a camera's options. It runs in the
camera's own child process, is handed one picture at a time, and says what begins and what ends in it. It does no input
or output beyond its own folder, so that a replay of a recording is a loop.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from drivers.contract import Options
from protocol.errors import ConfigurationError
from protocol.messages import EventState, Severity

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

GROUP = "diwang.analyses"
WIDTH, HEIGHT = 640, 360
"""The size of an analysed picture in pixels, whatever the camera sends."""


@dataclass(frozen=True)
class Frame:
    """One analysed picture.

    `bgr` has the shape (HEIGHT, WIDTH, 3) and is read only by agreement; `at` is the wall time at which the picture
    was taken from the camera, `seconds` the same instant on a clock that never goes back.
    """

    at: datetime
    seconds: float
    bgr: "NDArray[uint8]"

    @cached_property
    def grey(self) -> "NDArray[uint8]":
        """The luminance (ITU-R BT.601), shape (HEIGHT, WIDTH)."""
        import cv2  # noqa: PLC0415 - the agent reads this contract and must not load OpenCV

        return cv2.cvtColor(self.bgr, cv2.COLOR_BGR2GRAY)  # type: ignore[return-value] # its stubs widen the type


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an analysis saw begin, go on, end, or happen at one instant.

    One type is open at most once per camera. `picture` asks for the frame to be kept as evidence; it is taken at the
    resolution of the stream, not of the analysis.
    """

    type: str
    state: EventState
    severity: Severity
    score: float
    data: dict[str, Any] = field(default_factory=dict)
    picture: bool = False


class Analysis(Protocol):
    """An open analysis of one camera."""

    def inspect(self, frame: Frame) -> Iterable[Finding]:
        """Look at the next picture; time only moves forward from call to call."""
        ...

    def close(self) -> None:
        """Put down what must survive a restart. A killed process never gets here."""
        ...


Opener = Callable[[Any, Path, frozenset[str]], Analysis]


@dataclass(frozen=True, slots=True)
class AnalysisSpec:
    """What an analysis's entry point points to. Importing it must be light: no OpenCV, no numpy.

    `open` takes the validated options, the folder of this analysis for this camera (it exists and survives restarts),
    and the types of the findings that were open when the camera's process last stopped: the analysis ends or continues
    those.
    """

    name: str
    summary: str
    options: type[Options]
    open: Opener


def load(chosen: Iterable[str], options: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[AnalysisSpec, Options]]:
    """Yield each chosen analysis with its validated options.

    Raises ConfigurationError for a name that is not installed, a missing extra, or options that it does not have.
    """
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    chosen = tuple(chosen)
    if strangers := set(options) - set(chosen):
        raise ConfigurationError(f"analysis_options for {', '.join(sorted(strangers))}, which `analyses` does not name")
    for name in chosen:
        if name not in known:
            installed = ", ".join(sorted(known)) or "none: install the distribution `diwang` with its entry points"
            raise ConfigurationError(f"no analysis {name!r}; installed: {installed}")
        try:
            spec: AnalysisSpec = known[name].load()
        except ImportError as error:
            raise ConfigurationError(f"analysis {name!r} needs {error.name!r}") from error
        try:
            yield spec, msgspec.convert(options.get(name, {}), spec.options)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"analysis {name!r}: {error}") from error
