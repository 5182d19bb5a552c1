"""A sample district, drawn by us around 24.57 N 118.10 E: six grids, four officers by their posts, forty made-up shops.

Each function returns what the API takes, in the order in which it wants it: `org_units`, `grids`, `officers`, `roster`,
`subjects`. No person and no business is real.
"""

from collections.abc import Mapping
from typing import Any, Final

from diwang.demo.patrol import Walk, Waypoint

BUREAU: Final = "JM"
SEGMENT: Final = "JM/S1/Q1/D1"

_CORNERS: Final[Mapping[str, tuple[float, float]]] = {
    "a": (118.0850, 24.5800),
    "b": (118.0935, 24.5812),
    "c": (118.1030, 24.5806),
    "d": (118.1130, 24.5815),
    "e": (118.0846, 24.5712),
    "f": (118.0938, 24.5718),
    "m": (118.0985, 24.5722),
    "g": (118.1034, 24.5704),
    "h": (118.1136, 24.5711),
    "i": (118.0855, 24.5610),
    "j": (118.0945, 24.5604),
    "k": (118.1040, 24.5612),
    "l": (118.1128, 24.5602),
}
"""Longitude and latitude of where grids meet, from west to east and north to south. Neighbours share their corners."""

_GRIDS: Final = (
    ("35021100100101", "榕荫社区第一网格", "abfe"),
    ("35021100100102", "榕荫社区第二网格", "bcgmf"),
    ("35021100100201", "潮声社区第一网格", "cdhg"),
    ("35021100100202", "潮声社区第二网格", "efji"),
    ("35021100100301", "石桥社区第一网格", "fmgkj"),
    ("35021100100302", "石桥社区第二网格", "ghlk"),
)

PATROLLED: Final = "35021100100301"
PATROLLER: Final = "甲片区网格员"

_OFFICERS: Final = (
    (PATROLLER, "assistant", False, (PATROLLED,)),
    ("乙片区网格员", "assistant", False, ("35021100100101", "35021100100202")),
    ("丙片区网格员", "assistant", False, ("35021100100102", "35021100100201", "35021100100302")),
    ("第一段区负责人", "staff", True, ()),
)

_ALWAYS: Final = {"since": "2026-01-01T00:00:00Z", "until": "2046-01-01T00:00:00Z"}

_PLACES: Final = ("集美", "榕影", "潮声", "石桥", "晚霞", "青瓦", "木棉")
_TRADES: Final = (
    ("小厨", "catering"),
    ("面馆", "catering"),
    ("豆花铺", "catering"),
    ("烘焙坊", "food_production"),
    ("鲜果店", "food_sale"),
    ("便利店", "food_sale"),
)
_SHOPS: Final = 40

PATROL: Final = Walk(
    round=(
        Waypoint(24.5660, 118.0950),
        Waypoint(24.5652, 118.1010, pause_s=30),
        Waypoint(24.5680, 118.1015),
        Waypoint(24.5690, 118.0962, pause_s=30),
    ),
    speed_mps=4.0,
    excursion=(Waypoint(24.5661, 118.0921, pause_s=240),),
    excursion_after=0,
)
"""The round of the officer who patrols PATROLLED, on an electric bicycle. It begins with an absence of five minutes,
some 200 m into the neighbouring grid."""


def org_units() -> list[dict[str, Any]]:
    """Return the bodies of POST /org-units, from the bureau down to the segment."""
    names = {"JM": "示范区市场监督管理局", "JM/S1": "第一监管所", "JM/S1/Q1": "第一中队", SEGMENT: "第一段区"}
    return [{"id": unit, "name": name} for unit, name in names.items()]


def grids() -> dict[str, Any]:
    """Return the body of POST /grids/import: six grids side by side, without gap and overlap."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"id": grid_id, "name": name, "unit": SEGMENT},
                "geometry": {"type": "Polygon", "coordinates": [[list(_CORNERS[each]) for each in ring + ring[0]]]},
            }
            for grid_id, name, ring in _GRIDS
        ],
    }


def officers() -> list[dict[str, Any]]:
    """Return the bodies of POST /officers: three assistants, and the head of the segment, who is certified staff."""
    return [
        {"name": name, "kind": kind, "certified": certified, "unit": SEGMENT} for name, kind, certified, _ in _OFFICERS
    ]


def roster(officer_ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the bodies of POST /roster, given each officer's id by name: every grid held, the head deputy of all."""
    holders = [
        {"officer": officer_ids[name], "grid": grid, "role": "holder", **_ALWAYS}
        for name, _, _, held in _OFFICERS
        for grid in held
    ]
    head = officer_ids[_OFFICERS[-1][0]]
    return holders + [{"officer": head, "grid": grid, "role": "deputy", **_ALWAYS} for grid, _, _ in _GRIDS]


def subjects() -> list[dict[str, Any]]:
    """Return the bodies of POST /subjects: forty shops, spread over the six grids. The first is 集美小厨."""
    names = [(place + trade, category) for trade, category in _TRADES for place in _PLACES][:_SHOPS]
    return [_shop(number, name, category) for number, (name, category) in enumerate(names)]


def _shop(number: int, name: str, category: str) -> dict[str, Any]:
    _, grid_name, ring = _GRIDS[number % len(_GRIDS)]
    row, column = divmod(number // len(_GRIDS), 3)
    middle = [sum(_CORNERS[each][axis] for each in ring) / len(ring) for axis in (0, 1)]
    return {
        "name": name,
        "category": category,
        "address": f"{grid_name}示范路 {number + 1} 号",
        "longitude": round(middle[0] + (column - 1) * 0.0021, 6),
        "latitude": round(middle[1] + (row - 1) * 0.0019, 6),
    }
