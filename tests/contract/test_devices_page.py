"""docs/devices.md against the drivers: its examples are accepted, its tables have every option with its default."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers import registry
from drivers.terminal.jt808.location import ALARMS
from hub.anomalies.settings import AnomaliesSettings
from hub.words.catalogue import LANGUAGES, type_words

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(
    re.findall(r"^## [^\n]*`([a-z0-9.]+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
)


def examples() -> list[tuple[str, dict[str, Any]]]:
    texts = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    return [pair for text in texts for pair in tomllib.loads(text)["devices"].items()]


@pytest.mark.parametrize(("device", "section"), examples(), ids=lambda value: value if isinstance(value, str) else "")
def test_an_example_is_accepted(device: str, section: dict[str, Any]) -> None:
    assert section.keys() == {"driver", "options"}
    registry.validate(section["driver"], device, section["options"])


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_table_has_every_option_with_its_default(kind: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", SECTIONS[kind], re.MULTILINE)
    table = {name: default.strip() for name, default in rows}
    assert table == {field.name: shown(field) for field in msgspec.structs.fields(registry.load(kind).options)}


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_kind_of_source_is_named_with_its_options(kind: str) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(registry.load(kind).options)}
    if "source" not in fields:
        return
    for source in fields["source"].type.__args__:
        names = ", ".join(f"`{name}`" for name in source.__struct_fields__)
        assert f"`{source.__struct_config__.tag}` ({names})" in SECTIONS[kind]


def shown(field: msgspec.structs.FieldInfo) -> str:
    """The default as the page shows it."""
    if field.required:
        return ""
    if field.default is None:
        return "none"
    text = f'"{field.default}"' if isinstance(field.default, str) else str(field.default)
    return f"`{text}`"


@pytest.mark.parametrize("kind", [kind for kind, _ in ALARMS.values()])
def test_every_event_of_terminals_is_named_and_has_words(kind: str) -> None:
    assert f"`.{kind.removeprefix('terminal.')}`" in PAGE or f"`{kind}`" in PAGE
    assert all(type_words(kind, language) != kind for language in LANGUAGES)
    assert kind.startswith(AnomaliesSettings().event_prefixes)
