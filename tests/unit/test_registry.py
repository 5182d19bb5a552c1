import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from drivers import registry
from protocol.clock import ManualClock
from protocol.errors import ConfigurationError, DeviceUnreachableError
from tests.simulators.ticking import SPEC, TickingOptions

ROOT = Path(__file__).parents[2]
TICKING = "tests.simulators.ticking:SPEC"


@pytest.fixture
def distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path in which distributions can be laid that offer drivers."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def offer(folder: Path, distribution: str, **drivers: str) -> None:
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"[{registry.GROUP}]", *(f"site.{name} = {place}" for name, place in drivers.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def test_an_installed_driver_is_found_by_name(distributions: Path) -> None:
    offer(distributions, "site-drivers", ticking=TICKING)
    assert "site.ticking" in registry.installed()
    assert registry.load("site.ticking") is SPEC


def test_a_driver_of_the_site_is_found_by_its_place() -> None:
    assert registry.load(TICKING) is SPEC


def test_what_the_project_declares_can_be_loaded() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name, place in project["project"]["entry-points"][registry.GROUP].items():
        assert EntryPoint(name, place, registry.GROUP).load().name == name


def test_only_the_driver_asked_for_is_imported() -> None:
    code = "import sys; from drivers import registry; registry.load('drivers.gps:SPEC'); sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_an_unknown_driver_is_answered_with_those_that_there_are(distributions: Path) -> None:
    offer(distributions, "site-drivers", ticking=TICKING)
    with pytest.raises(ConfigurationError, match=r"no driver 'gps.nmae'; installed: .*site\.ticking"):
        registry.load("gps.nmae")


def test_a_name_that_is_claimed_twice_is_refused(distributions: Path) -> None:
    offer(distributions, "one", ticking=TICKING)
    offer(distributions, "other", ticking="tests.simulators.ticking:IN_LOCAL_TIME")
    with pytest.raises(ConfigurationError, match="claimed more than once"):
        registry.load("site.ticking")


def test_a_missing_package_names_itself_and_the_extra(distributions: Path) -> None:
    (distributions / "needy_driver.py").write_text("import no_such_package\n")
    offer(distributions, "site-drivers", needy="needy_driver:SPEC")
    with pytest.raises(ConfigurationError, match=r"needs the package 'no_such_package': install diwang\[site\]"):
        registry.load("site.needy")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("no_such_module:SPEC", "cannot be imported: No module named 'no_such_module'"),
        ("tests.simulators.ticking:ABSENT", "has no attribute 'ABSENT'"),
        ("tests.simulators.ticking:NO_SPEC", "is a str, not a DriverSpec"),
        ("tests.simulators.ticking:", "not of the form package.module:NAME"),
        (".ticking:SPEC", "not of the form package.module:NAME"),
        ("os:system('true')", "not of the form package.module:NAME"),
    ],
)
def test_a_place_that_holds_no_driver_is_refused_with_the_reason(kind: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        registry.load(kind)
    assert reason in str(refusal.value)


def test_a_module_that_fails_is_refused_with_the_reason(distributions: Path) -> None:
    (distributions / "unfinished.py").write_text("def opener(:\n")
    with pytest.raises(ConfigurationError, match=r"'unfinished:SPEC' cannot be imported: SyntaxError"):
        registry.load("unfinished:SPEC")


def test_options_become_the_drivers_own_type() -> None:
    assert registry.validate(TICKING, "clock-1", {"every_s": 2}) == TickingOptions(every_s=2.0)


@pytest.mark.parametrize(
    ("device", "options", "reason"),
    [
        ("clock-1", {"evry_s": 2}, r"clock-1: .*evry_s"),
        ("clock-1", {"every_s": "2"}, r"clock-1: Expected `float`, got `str` - at `\$.every_s`"),
        ("Clock 1", {}, r"device 'Clock 1'"),
    ],
)
def test_wrong_options_and_names_are_refused(device: str, options: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        registry.validate(TICKING, device, options)


async def test_opening_makes_the_devices_folder(tmp_path: Path) -> None:
    folder = tmp_path / "devices" / "clock-1"
    async with registry.open_driver(TICKING, "clock-1", {}, ManualClock(), folder) as driver:
        assert driver.device == "clock-1"
    assert (folder / "opened").exists()
    with pytest.raises(DeviceUnreachableError):
        await registry.open_driver(TICKING, "clock-1", {"there": False}, ManualClock(), folder).__aenter__()
