"""Derive protocol/mainland.json, where GCJ-02 shifts coordinates, from Natural Earth's country boundaries.

Run `python docs/mainland.py countries-10m.json`; that file is in the npm package world-atlas 2 (TopoJSON of Natural
Earth 1:10m, in the public domain). The mainland is widened over the sea by about 22 km, the territorial sea, and
simplified to about 3 km, 300 m around Hong Kong, Macao and Taiwan; these with the sea next to them, and the land of
others, are left out.
"""

import json
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

SEA_DEGREES = 0.2
THEIR_SEA_DEGREES = {"Hong Kong": 0.03, "Macao": 0.004, "Taiwan": 0.03}
TOLERANCE_DEGREES = 0.025
FINE_DEGREES, FINE_AROUND_DEGREES = 0.003, 0.1
SMALLEST_SQUARE_DEGREES = 0.01
SMALLEST_HOLE = 0.0005
SHORTEST_RING = 4
SMALL_ISLANDS = (
    (26.16, 119.95, 0.06),
    (26.37, 120.49, 0.06),
    (25.97, 119.94, 0.06),
    (24.99, 119.45, 0.06),
    (24.43, 118.24, 0.025),
)
"""Matsu, Dongyin, Juguang, Wuqiu and Lieyu, which the source leaves out: latitude, longitude and radius in degrees."""


def countries(topology: dict[str, Any]) -> dict[str, BaseGeometry]:
    """Return the countries by name, in degrees, without their lakes."""
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        xs, ys = accumulate(x for x, _ in arc), accumulate(y for _, y in arc)
        arcs.append([(x * sx + tx, y * sy + ty) for x, y in zip(xs, ys, strict=True)])

    def ring(numbers: list[int]) -> list[tuple[float, float]]:
        pieces = [arcs[number] if number >= 0 else arcs[~number][::-1] for number in numbers]
        return [point for index, piece in enumerate(pieces) for point in (piece if index == 0 else piece[1:])]

    found = {}
    for each in topology["objects"]["countries"]["geometries"]:
        if each["type"] in {"Polygon", "MultiPolygon"}:
            parts = [each["arcs"]] if each["type"] == "Polygon" else each["arcs"]
            rings = [ring(part[0]) for part in parts]
            land = MultiPolygon([Polygon(outer) for outer in rings if len(outer) >= SHORTEST_RING])
            found[each["properties"]["name"]] = land.buffer(0)
    return found


def mainland(found: dict[str, BaseGeometry]) -> MultiPolygon:
    """Return where coordinates are shifted."""
    china = found["China"]
    around = china.envelope.buffer(1)
    foreign = shapely.union_all([each for name, each in found.items() if name != "China" and each.intersects(around)])
    islands = [Point(longitude, latitude).buffer(radius) for latitude, longitude, radius in SMALL_ISLANDS]
    theirs = shapely.union_all([*islands, *(found[name].buffer(sea) for name, sea in THEIR_SEA_DEGREES.items())])
    at_sea = china.buffer(SEA_DEGREES).difference(foreign).difference(theirs.difference(china))
    whole = at_sea.union(china)
    near = theirs.buffer(FINE_AROUND_DEGREES)
    # Where two cities meet at the border a few hundred metres matter, in the desert they do not.
    coarse = whole.simplify(TOLERANCE_DEGREES)
    joined = coarse.difference(near).union(whole.intersection(near).simplify(FINE_DEGREES)).buffer(0)
    parts = joined.geoms if isinstance(joined, MultiPolygon) else [joined]
    return MultiPolygon([_without_specks(part) for part in parts if part.area > SMALLEST_SQUARE_DEGREES])


def _without_specks(part: Polygon) -> Polygon:
    return Polygon(part.exterior, [hole for hole in part.interiors if Polygon(hole).area > SMALLEST_HOLE])


def main() -> None:
    """Write the outline."""
    outline = mainland(countries(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    lines = [line for part in outline.geoms for line in (part.exterior, *part.interiors)]
    rings = [[[round(x, 3), round(y, 3)] for x, y in line.coords[:-1]] for line in lines]
    told = {
        "about": "Where GCJ-02 shifts coordinates: rings of longitude and latitude in WGS-84. No map, no claim.",
        "source": "Natural Earth 1:10m, public domain; made by docs/mainland.py",
        "rings": rings,
    }
    file = Path(__file__).parents[1] / "protocol" / "mainland.json"
    file.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
