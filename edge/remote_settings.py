"""How a box takes its configuration and new versions of itself from the hub."""

from typing import Annotated

from msgspec import Meta

from edge.section import Section


class Configuration(Section, frozen=True, kw_only=True):
    """How the box takes its configuration from the hub, where `[hub] api` names its door."""

    from_hub: Annotated[bool, Meta(description="Whether the hub may change what this box runs")] = True
    root_file: Annotated[
        str,
        Meta(description="Signed root to trust (The Update Framework); empty: the first that the door gives by TLS"),
    ] = ""
    look_every_s: Annotated[
        float, Meta(ge=1, le=86_400, description="Seconds between two looks for a change; the hub also calls")
    ] = 900.0
    trial_s: Annotated[
        float, Meta(ge=1, le=3600, description="Seconds within which the hub must be heard after a change")
    ] = 300.0


class Updates(Section, frozen=True, kw_only=True):
    """How new versions of the agent are installed."""

    slots: Annotated[
        str,
        Meta(description="Folder made by `diwang edge slots`: two installations and the one that runs; empty: none"),
    ] = ""
