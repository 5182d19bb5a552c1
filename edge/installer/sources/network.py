"""Cameras in the network, by ONVIF's call."""

from collections.abc import AsyncIterator, Iterable

from drivers.camera import discovery
from edge.cameras import searching
from edge.cameras.searching import Candidate
from edge.installer.found import Found


async def cameras(
    seconds: float, *, through: Iterable[str] | None = None, port: int = discovery.PORT
) -> AsyncIterator[Found]:
    """Call for cameras through these interfaces (all of the box's), and yield those that answered."""
    for candidate in await searching.search(seconds, None, through=through, port=port):
        yield _found(candidate)


def _found(candidate: Candidate) -> Found:
    camera, brand = candidate.found, candidate.brand
    maker = brand.maker if brand else camera.name or "ONVIF"
    options: dict[str, object] = {}
    if candidate.streams is not None:
        main, sub = candidate.streams
        options = {"url": main, "sub_stream": sub}
    return Found(
        kind="camera",
        title=" ".join(dict.fromkeys(part for part in (maker, camera.name, camera.hardware, camera.location) if part)),
        place=camera.host,
        plausible=True,
        why="onvif" if brand else "onvif_unknown_brand",
        driver="camera",
        options=options,
        wants=("user",),
        service=camera.service,
    )
