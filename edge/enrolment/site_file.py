"""The box's configuration file as enrolment changes it: a few values, and every other line stays as it was written."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.config_file import table
from edge.ownership import like
from protocol.errors import ConfigurationError
from protocol.lasting import replace_file

_DATA: Final = "data"
_ANY_HEADER: Final = re.compile(r"^\s*\[")


class SiteFile:
    """A site's TOML file, which may not be there yet. Raises ConfigurationError for one that is no TOML."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._text = ""
        self._tree: dict[str, Any] = {}
        if path.exists():
            self._tree = table(path)
            self._text = path.read_text(encoding="utf-8")

    @property
    def gateway(self) -> str | None:
        """The box's name, where the file gives it one."""
        name = self._section("gateway").get("id")
        return name if isinstance(name, str) else None

    @property
    def data(self) -> Path:
        """The folder of the box's own data."""
        return self.path.parent / str(self._section("gateway").get("data", _DATA))

    def relative(self, path: Path) -> str:
        """Return a path as the file names it: relative to itself where that is possible."""
        absolute = path.absolute()
        return str(absolute.relative_to(self.path.parent) if absolute.is_relative_to(self.path.parent) else absolute)

    def set(self, section: str, values: Mapping[str, str | None]) -> None:
        """Give keys of a section new values; None takes a key out.

        Raises ConfigurationError, and changes nothing, when the file is written in a way that cannot be changed safely.
        """
        kept = {key: value for key, value in self._section(section).items() if key not in values}
        given = {key: value for key, value in values.items() if value is not None}
        tree = {**self._tree, section: kept | given}
        text = _with_values(self._text, section, values)
        try:
            made = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            made = None
        if made != tree:
            lines = "; ".join(_line(key, value) for key, value in given.items())
            raise ConfigurationError(f"{self.path}: write it by hand below [{section}]: {lines}")
        self._text, self._tree = text, tree

    def write(self) -> None:
        """Put the file in its place at once, with the owner and the rights that it had. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        model = self.path if self.path.exists() else self.data
        mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o600
        owner = model.stat()
        replace_file(self.path, self._text.encode())
        self.path.chmod(mode)
        like(owner, self.path)

    def _section(self, name: str) -> dict[str, Any]:
        section = self._tree.get(name, {})
        return section if isinstance(section, dict) else {}


def _with_values(text: str, section: str, values: Mapping[str, str | None]) -> str:
    lines = text.splitlines()
    header = re.compile(rf"^\s*\[\s*{re.escape(section)}\s*\]\s*(#.*)?$")
    start = next((number for number, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        lines += [*([""] if lines else []), f"[{section}]"]
        start = len(lines) - 1
    rest = enumerate(lines[start + 1 :], start + 1)
    end = next((number for number, line in rest if _ANY_HEADER.match(line)), len(lines))
    body = lines[start + 1 : end]
    for key, value in values.items():
        known = re.compile(rf"^\s*{re.escape(key)}\s*=")
        places = [number for number, line in enumerate(body) if known.match(line)]
        if places:
            body[places[0] : places[0] + 1] = [] if value is None else [_line(key, value)]
        elif value is not None:
            body.insert(_last_filled(body), _line(key, value))
    return "\n".join([*lines[: start + 1], *body, *lines[end:]]) + "\n"


def _last_filled(body: list[str]) -> int:
    """Return the place after the last line that is not empty."""
    return next((number for number in range(len(body), 0, -1) if body[number - 1].strip()), 0)


def _line(key: str, value: str) -> str:
    # A JSON string is a TOML basic string (TOML 1.0, "String").
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"
