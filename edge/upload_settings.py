"""How a box carries recorded footage to the hub."""

from typing import Annotated

from msgspec import Meta

from edge.section import Section


class Uploads(Section, frozen=True, kw_only=True):
    """How recorded footage travels, where `[hub] api` names the hub's door. Without one it stays on the box."""

    limit_kib_s: Annotated[int, Meta(ge=0, description="KiB a second at most; 0 for no limit")] = 0
    keep_days: Annotated[
        float, Meta(ge=0, le=3650, description="Days that the box keeps its own copy once the hub has confirmed it")
    ] = 7.0
    longest_wait_s: Annotated[
        float, Meta(ge=1, le=86_400, description="Seconds between two attempts at most while the hub is away")
    ] = 300.0
