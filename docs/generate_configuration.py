"""Every setting of both programs, as a page: name, type, default and what it means, from the types that check it."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from edge import config as edge
from hub.config import HubConfig

_HEAD = """\
# Configuration

Generated from the types that check it; both programs take `--check`, which reads everything and starts nothing.
A misspelt key is an error that names it. Secrets never stand in these files: they come from the environment or from
mounted files. Relative paths are relative to the file that holds them.
"""
_EDGE = """
## The edge agent: `diwang edge run --config site.toml`

```toml
[gateway]
id = "kitchen-17"

[hub]
broker = "mqtts://hub.example:8883"
password_file = "/run/secrets/broker-password"

[devices.cam-1]
driver = "camera"
options = { url = "rtsp://192.168.1.20/main", sub_stream = "rtsp://192.168.1.20/sub" }

[devices.gps-1]
driver = "gps.nmea"
options = { source = { kind = "serial", port = "/dev/ttyUSB0", baud = 9600 } }
```
"""
_HUB = """
## The hub: `diwang hub run --data DIR --port N [--config hub.toml]`

Embedded defaults need no file at all.
"""


def page() -> str:
    """Return docs/configuration.md."""
    parts = [_HEAD, _EDGE]
    sections = get_type_hints(edge.Config)
    del sections["devices"]
    for name, kind in sections.items():
        parts.append(_table(f"[{name}]", kind.__doc__ or "", _of_msgspec(kind)))
    parts.append(_table("[devices.NAME]", edge.Device.__doc__ or "", _of_msgspec(edge.Device)))
    parts.append(_HUB)
    parts.append(_table("(top level)", HubConfig.__doc__ or "", _of_pydantic(HubConfig)))
    for name, field in HubConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts.append(_table(f"[{name}]", field.annotation.__doc__ or "", _of_pydantic(field.annotation)))
    return "".join(parts)


def _table(title: str, summary: str, rows: Iterator[tuple[str, str, str, str]]) -> str:
    lines = [f"\n### `{title}`\n", "\n", f"{' '.join(summary.split())}\n", "\n"]
    lines += ["| key | type | default | meaning |\n", "|---|---|---|---|\n"]
    lines += [f"| `{key}` | {kind} | {default} | {meaning} |\n" for key, kind, default, meaning in rows]
    return "".join(lines)


def _of_msgspec(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        if isinstance(field.default_factory, type):
            default = "`{}`"
        else:
            default = "required" if field.required else _shown(field.default)
        yield field.name, _kind(hint), default, _description(hint)


def _of_pydantic(kind: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        yield name, _kind(field.annotation), _default(field), field.description or ""


def _default(field: FieldInfo) -> str:
    if field.default is not PydanticUndefined:
        return _shown(field.default)
    return "required" if field.is_required() else "see text"


def _shown(value: Any) -> str:  # noqa: ANN401 - any default
    if isinstance(value, frozenset):
        return f"`{sorted(value)}`"
    if isinstance(value, tuple):
        return f"`{[item.model_dump() if isinstance(item, BaseModel) else item for item in value]}`"
    return f"`{value!r}`".replace("'", '"')


def _kind(hint: Any) -> str:  # noqa: ANN401 - any annotation
    origin = get_origin(hint)
    if origin is Annotated:
        return _kind(get_args(hint)[0])
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(hint))
    if origin in {Union, types.UnionType}:
        return " or ".join(_kind(part) for part in get_args(hint) if part is not type(None))
    if origin in {tuple, list, frozenset, set}:
        return f"list of {_kind(get_args(hint)[0])}"
    if origin is dict:
        return "table"
    names = {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "Path": "path"}
    return names.get(getattr(hint, "__name__", ""), getattr(hint, "__name__", str(hint)))


def _description(hint: Any) -> str:  # noqa: ANN401 - any annotation
    texts = [part.description for part in get_args(hint)[1:] if isinstance(part, msgspec.Meta) and part.description]
    return texts[-1] if texts else ""
