"""The rules of the house that no linter knows."""

import ast
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("protocol", "firmware_configs", "drivers", "edge", "hub", "diwang")
LONGEST = 300
GENERATED = "hub/storage/migrations/versions"

# The top of a process, or the border of a plug-in: nowhere else may everything be caught.
CATCHES_EVERYTHING = {
    "edge/supervisor.py": "a driver is a plug-in",
    "edge/resting.py": "a driver is a plug-in",
    "drivers/registry.py": "a driver is a plug-in, and importing it runs it",
    "hub/process.py": "the top of the hub",
    "hub/ingest/isolating.py": "consumers are plug-ins, and one gateway's message must not stop another's",
    "drivers/camera/child.py": "the top of the camera's own process",
}


def product_files() -> list[Path]:
    return sorted(path for top in PRODUCT for path in (ROOT / top).rglob("*.py") if GENERATED not in path.as_posix())


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {path.relative_to(ROOT).as_posix(): count for path in product_files() if (count := lines(path)) > LONGEST}
    assert long == {}


def lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def test_no_module_is_named_for_nothing() -> None:
    nameless = re.compile(r"^(utils?|helpers?|misc|common|managers?|services?)$")
    assert [path for path in product_files() if nameless.match(path.stem) or nameless.match(path.parent.name)] == []


def test_everything_is_caught_in_two_kinds_of_places_only() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for path in product_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    }
    assert found <= set(CATCHES_EVERYTHING)


def catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(names & {"Exception", "BaseException"})


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|for now|simplified)\b")
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*product_files(), *(ROOT / "docs").glob("*.md"), *(ROOT / "tests").rglob("*.py")]
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if later.search(line)
    ]
    assert places == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    words = re.compile(r"pytest\.skip\(|mark\.(skip|xfail)|importorskip")
    files = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    assert [path for path in files if words.search(path.read_text(encoding="utf-8"))] == []


def test_our_names_are_ours() -> None:
    owners = importlib.metadata.packages_distributions()  # an editable install is not listed
    for package in PRODUCT:
        assert set(owners.get(package, ["diwang"])) == {"diwang"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("edge.agent", "fastapi"),
        ("edge.agent", "sqlalchemy"),
        ("edge.agent", "cv2"),
        ("edge.agent", "av"),
        ("edge.agent", "httpx"),
        ("drivers.recorder", "av"),
        ("edge.agent", "numpy"),
        ("edge.agent", "tuf"),
        ("drivers.gps", "cv2"),
        ("hub.app", "cv2"),
        ("hub.app", "av"),
        ("protocol.codec", "structlog"),
    ],
)
def test_imports_stay_light(module: str, absent: str) -> None:
    code = f"import sys, {module}; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_every_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    missing = [name for name in dependencies() if f"| {name} |" not in reasons]
    assert missing == []


def dependencies() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    for group in groups:
        for requirement in group:
            name = re.split(r"[\[<=>~! ]", requirement)[0]
            if name != "diwang":
                yield name


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_lock_files_hold_hashes_and_name_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.findall(r"^([a-z0-9][a-z0-9._-]*(?:\[[^\]]*\])?)==", text, flags=re.MULTILINE)
    assert pins
    assert text.count("--hash=sha256:") >= len(pins)


def test_links_between_documents_hold() -> None:
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_vendored_files_are_what_their_manifest_says() -> None:
    static = ROOT / "hub/web/static/vendor"
    manifest = json.loads((static / "manifest.json").read_text(encoding="utf-8"))
    found = {
        path.relative_to(static).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in static.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert found == {entry["file"]: entry["sha256"] for entry in manifest["files"]}
