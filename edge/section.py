"""The base of every table of a box's configuration file."""

from msgspec import Struct


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frozen, and an unknown key is an error that names it."""
