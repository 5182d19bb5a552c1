"""New releases of the agent: signed wheels, two slots, a launcher that goes back. Real wheels, real environments."""

import asyncio
import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edge import slots as slots_module
from edge.slots import LAUNCHER, Slots, Trial
from protocol.errors import ConfigurationError
from tests.simulators.configured_site import site

pytestmark = pytest.mark.timeout(300)  # whole programs, each beginning several others

LAUNCH = Path(slots_module.__file__).with_name("launch.py")
PATIENCE_S = 30
RUNS = (
    "from pathlib import Path\n"
    "with (Path(__file__).parents[{up}] / 'runs').open('a') as runs:\n    runs.write('{name}\\n')\n"
)
PROVES = (
    "import os, signal\nstate = Path(__file__).parents[{up}] / 'state.json'\nstate.write_text('{{}}')\n"
    "signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n"
    "os.write(int(os.environ['DIWANG_TRIAL_FD']), b'proven')\nsignal.pause()\n"
)
HANGS = "import signal\nsignal.pause()\n"
CRASHES = "raise SystemExit(1)\n"
ENDS = "raise SystemExit(0)\n"


def slot(root: Path, name: str, then: str) -> None:
    """Make a slot whose interpreter is a script that notes its run, and then does what is given."""
    folder = root / name / "bin"
    folder.mkdir(parents=True)
    script = folder / "python"
    script.write_text(f"#!{sys.executable}\n" + (RUNS + then).format(up=2, name=name))
    script.chmod(0o755)


def prepared(root: Path, then: str, *, old: str = ENDS) -> Slots:
    """Slots in which `b` is on trial and does what is given; `a` notes its run and ends."""
    slot(root, "a", old)
    slot(root, "b", then)
    (root / LAUNCHER).write_bytes(LAUNCH.read_bytes())
    (root / "current").symlink_to("a")
    slots = Slots(root)
    slots.switch("b", "2.0", within_s=20)
    return slots


def launch(root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(root / LAUNCHER), "--config", "x"])


def runs(root: Path) -> list[str]:
    return (root / "runs").read_text().split() if (root / "runs").exists() else []


def current(root: Path) -> str:
    return (root / "current").readlink().name


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - files of another process, which nothing announces
            await asyncio.sleep(0.02)


def test_a_release_that_crashes_is_left_after_three_tries(tmp_path: Path) -> None:
    slots = prepared(tmp_path, CRASHES)
    assert launch(tmp_path).wait(PATIENCE_S) == 0
    assert runs(tmp_path) == ["b", "b", "b", "a"]
    assert current(tmp_path) == "a"
    assert slots.read().rejected == "2.0"
    assert "3 times" in slots.read().reason
    assert not slots.lacks("2.0", "1.0")
    assert slots.lacks("2.1", "1.0")


def test_a_release_that_does_not_reach_the_hub_is_left(tmp_path: Path) -> None:
    slots = prepared(tmp_path, HANGS)
    slots.switch("a", "1.0", within_s=1)  # back and forth: only the last one counts
    slots.switch("b", "2.0", within_s=0.5)
    assert launch(tmp_path).wait(PATIENCE_S) == 0
    assert runs(tmp_path) == ["b", "a"]
    assert slots.read().rejected == "2.0"


async def test_a_release_that_proves_itself_stays_and_hears_the_signal(tmp_path: Path) -> None:
    slots = prepared(tmp_path, PROVES)
    process = launch(tmp_path)
    await until(lambda: not slots.read().trying)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert runs(tmp_path) == ["b"]
    assert current(tmp_path) == "b"


async def test_power_cuts_during_a_trial_count_and_end_it(tmp_path: Path) -> None:
    slots = prepared(tmp_path, HANGS)
    for boot in (1, 2, 3):
        process = launch(tmp_path)
        await until(lambda boot=boot: len(runs(tmp_path)) == boot)
        (agent,) = children(process.pid)
        process.kill()
        process.wait()
        os.kill(agent, signal.SIGKILL)
        assert slots.read().boots == boot
    assert launch(tmp_path).wait(PATIENCE_S) == 0
    assert runs(tmp_path) == ["b", "b", "b", "a"]
    assert current(tmp_path) == "a"


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("point", ["before the link", "before the state"])
def test_a_power_cut_in_a_switch_leaves_the_old_slot_and_no_trial(tmp_path: Path, point: str) -> None:
    slots = prepared(tmp_path, CRASHES)
    state = (tmp_path / "state.json").read_bytes()
    slots._point("a")
    if point == "before the state":
        (tmp_path / "state.json").write_bytes(state.replace(b'"boots":0', b'"boots":3'))
    assert launch(tmp_path).wait(PATIENCE_S) == 0
    assert runs(tmp_path) == ["a"]
    assert not slots.read().trying


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[1]", b"\xff"])
def test_a_state_that_cannot_be_read_is_no_trial(tmp_path: Path, damage: bytes) -> None:
    slots = prepared(tmp_path, ENDS)
    (tmp_path / "state.json").write_bytes(damage)
    assert slots.read() == Trial()
    assert launch(tmp_path).wait(PATIENCE_S) == 0
    assert runs(tmp_path) == ["b"]


def test_only_the_slot_on_trial_proves_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = prepared(tmp_path, ENDS)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "a"))
    slots.prove()
    assert slots.read().trying
    hears, says = os.pipe()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "b"))
    monkeypatch.setenv(slots_module.TRIAL_VARIABLE, str(says))
    slots.prove()
    assert os.read(hears, 16) == b"proven"
    assert not slots.read().trying
    for descriptor in (hears, says):
        os.close(descriptor)


def test_slots_are_made_from_the_installation_that_lies_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="install it in"):
        Slots(tmp_path).prepare()
    with pytest.raises(ConfigurationError, match="diwang edge slots"):
        _ = Slots(tmp_path).idle
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "a"))
    Slots(tmp_path).prepare()
    assert current(tmp_path) == "a"
    assert (tmp_path / LAUNCHER).read_bytes() == LAUNCH.read_bytes()
    assert Slots(tmp_path).idle == "b"
    assert not Slots.of("").lacks("2.0", "1.0")


def wheelhouse(folder: Path, version: str, *, check: str) -> Path:
    """Build a release: a real wheel that is called diwang, with an agent that proves itself, and its lock file."""
    folder.mkdir()
    process = f"import sys\nif '--check' in sys.argv:\n    {check}\n" + (RUNS + PROVES).format(up=5, name=version)
    info = f"diwang-{version}.dist-info"
    files = {
        "edge/__init__.py": b"",
        "edge/process.py": process.encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: diwang\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{name},sha256={digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]).encode()
    wheel = folder / f"diwang-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "requirements.lock").write_text(f"diwang=={version} --hash=sha256:{sha256}\n")
    return folder


def digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def hub_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "diwang", "hub", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


async def test_the_hub_has_a_box_run_a_new_release_and_hears_why_it_cannot_run_another(tmp_path: Path) -> None:
    root = tmp_path / "slots"
    slot(root, "a", ENDS)
    (root / LAUNCHER).write_bytes(LAUNCH.read_bytes())
    (root / "current").symlink_to("a")
    bad = wheelhouse(tmp_path / "bad", "9.8.0", check="sys.exit('no camera driver for this board')")
    good = wheelhouse(tmp_path / "good", "9.9.0", check="sys.exit(0)")
    async with site(tmp_path, '[updates]\nslots = "slots"\n') as box:
        data = ["--data", str(tmp_path / "hub")]
        assert hub_command("releases", "add", "9.7.0", str(bad), *data).returncode == 1
        for version, folder in (("9.8.0", bad), ("9.9.0", good)):
            added = hub_command("releases", "add", version, str(folder), *data)
            assert added.returncode == 0, added.stderr
        assert hub_command("releases", "list", *data).stdout.split() == ["9.8.0", "9.9.0"]
        await box.hub.until("unmanaged")

        await box.hub.publish("", release="9.8.0")
        refused = await box.hub.until("refused", about="9.8.0")
        assert "no camera driver for this board" in refused["reported"]["detail"]
        assert current(root) == "a"

        await box.hub.publish("", release="9.9.0")
        await until(lambda: runs(root) == ["9.9.0"])
        assert current(root) == "b"
        await until(lambda: json.loads((root / "state.json").read_bytes()) == {})
        assert await box.edge.end() == 0
