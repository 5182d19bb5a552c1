"""Device models: the shipped ones, choosing one for a device, and making values what it says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.device_models import fitting, loading
from hub.device_models.schemas import DeviceModelIn, Reading
from hub.telemetry.catalogue import SeriesType, type_of
from protocol.errors import ConfigurationError

LABEL = {"zh-CN": "值", "en": "Value"}


def reading(kind: str, **more: Any) -> Reading:
    return Reading.model_validate({"type": kind, "label": LABEL, **more})


def model(name: str, **more: Any) -> DeviceModelIn:
    return DeviceModelIn.model_validate({"model": name, "title": LABEL, **more})


def test_every_shipped_model_is_read() -> None:
    files = sorted(loading.SHIPPED.iterdir())
    models = [loading.read(path) for path in files]
    assert [each.model for each in models] == [path.stem for path in files]
    assert "thermometer" in {each.model for each in models}


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("number", 4, 4.0),
        ("number", True, 1.0),
        ("number", "4.5", 4.5),
        ("number", "-0.5", -0.5),
        ("number", "4,5", None),
        ("number", "1e999", None),
        ("number", "nan", None),
        ("number", " 4", None),
        ("flag", 1.0, True),
        ("flag", 2.0, None),
        ("flag", "ON", True),
        ("flag", "false", False),
        ("flag", "maybe", None),
        ("text", 4.5, "4.5"),
        ("text", 4.0, "4"),
        ("text", True, "true"),
        ("text", "x", "x"),
    ],
)
def test_a_value_becomes_what_its_model_says_or_is_refused(kind: str, value: Any, made: Any) -> None:
    found = fitting.fit({"v": value}, {"v": reading(kind)})
    assert found.values == ({} if made is None else {"v": made})
    assert type(found.values.get("v")) is type(made)
    assert bool(found.refused) is (made is None)


def test_what_no_such_device_measures_is_refused_with_its_unit() -> None:
    readings = {"t": reading("number", unit="°C", minimum=-40, maximum=85)}
    assert fitting.fit({"t": 85.0}, readings).values == {"t": 85.0}
    refused = fitting.fit({"t": "-127", "other": "x"}, readings)
    assert refused.values == {"other": "x"}
    assert refused.refused == {"t": "t: -127 °C is less than any device of this model measures (-40 °C)"}


@given(
    st.dictionaries(st.sampled_from("abc"), st.one_of(st.floats(allow_nan=False), st.booleans(), st.text(max_size=8))),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(sorted(SeriesType))),
)
def test_every_value_is_kept_in_its_type_or_refused(values: dict[str, Any], kinds: dict[str, SeriesType]) -> None:
    found = fitting.fit(values, {name: reading(kind) for name, kind in kinds.items()})
    assert found.values.keys() | found.refused.keys() == values.keys()
    assert not found.values.keys() & found.refused.keys()
    assert all(type_of(value) is kinds[name] for name, value in found.values.items() if name in kinds)


def test_the_model_chosen_comes_before_name_and_name_before_driver() -> None:
    models = [model("b", devices=["fridge-*"]), model("a", drivers=["thermo*"]), model("c")]

    def found(device: str, driver: str = "", chosen: str | None = None) -> str | None:
        of = fitting.model_of(models, device=device, driver=driver, chosen=chosen)
        return of.model if of else None

    assert found("fridge-1", "thermometer", "c") == "c"
    assert found("fridge-1", "thermometer") == "b"
    assert found("sample-1", "thermometer") == "a"
    assert found("sample-1") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"readings": {"t": {"type": "number"}}},
        {"readings": {"t": {"type": "number", "label": {"en": "T"}}}},
        {"readings": {"t": {"type": "float", "label": LABEL}}},
        {"readings": {"t": {"type": "text", "label": LABEL, "minimum": 1}}},
        {"readings": {"t": {"type": "number", "label": LABEL, "minimum": 2, "maximum": 1}}},
        {"drivers": ["a b"]},
        {"model": "With Spaces"},
        {"vendor": {"depth": float("inf")}},
    ],
)
def test_a_model_that_makes_no_sense_names_its_file_and_what_is_wrong(wrong: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps({"model": "m", "title": LABEL, **wrong}))
    with pytest.raises(ConfigurationError, match=r"wrong\.json: .+"):
        loading.read(file)


def test_a_file_may_be_toml_and_what_is_unknown_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "probe.toml"
    file.write_text(
        'model = "probe"\ntitle = { "zh-CN" = "探头", en = "Probe" }\nvendor = "Acme"\n'
        '[readings.ph]\ntype = "number"\nlabel = { "zh-CN" = "酸碱度", en = "pH" }\nprecision = 2\n'
    )
    document = loading.read(file).document()
    assert document["vendor"] == "Acme"
    assert document["readings"]["ph"]["precision"] == 2


@pytest.mark.parametrize("content", [b"\xff", b"{", b"[]", b"[" * 100_000])
def test_a_file_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"x\.json"):
        loading.read(file)


def test_the_documented_model_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "registers.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert DeviceModelIn.model_validate_json(example).readings["ph"].unit == "pH"
