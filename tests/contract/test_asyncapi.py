"""The AsyncAPI document says what the codec does: the released messages fit it, and broken ones do not."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import protocol

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs/asyncapi.json").read_text(encoding="utf-8"))
NAMES = {
    "state": "State",
    "batch": "Batch",
    "ack": "Ack",
    "command": "Command",
    "reply": "Reply",
    "document": "Document",
}
EXAMPLES = sorted((Path(protocol.__file__).parent / "schemas" / "v1").glob("*.json"))
OF_THIS_VERSION = [path for path in EXAMPLES if "later-version" not in path.stem]


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("path", OF_THIS_VERSION, ids=lambda path: path.stem)
def test_released_messages_fit_the_document(path: Path) -> None:
    validator(NAMES[path.stem.split("-")[0]]).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("seq",), -1),
        (("gateway",), "Not A Level"),
        (("records", 0, "kind"), "hologram"),
        (("records", 1, "latitude"), 91),
        (("records", 2, "images"), ["abc"]),
    ],
)
def test_broken_messages_do_not(place: tuple[str | int, ...], value: object) -> None:
    message = json.loads((Path(protocol.__file__).parent / "schemas/v1/batch.json").read_bytes())
    broken = deepcopy(message)
    inner = broken
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    assert validator("Batch").is_valid(message)
    assert not validator("Batch").is_valid(broken)


def test_every_reference_leads_somewhere() -> None:
    references = list(found(DOCUMENT))
    assert len(references) > 10
    for reference in references:
        inner: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            inner = inner[step]


def found(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for below in tree.values():
            yield from found(below)
    elif isinstance(tree, list):
        for below in tree:
            yield from found(below)


def test_it_is_asyncapi_3_with_every_topic() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {
        "diwang/v1/{gateway}/up/state",
        "diwang/v1/{gateway}/up/batch",
        "diwang/v1/{gateway}/up/image/{sha256}",
        "diwang/v1/{gateway}/up/reply",
        "diwang/v1/{gateway}/down/ack",
        "diwang/v1/{gateway}/down/command",
    }
