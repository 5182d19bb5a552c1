"""Configurations from the hub on the box: a power cut at any step, trials, and what a box begins with."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import errands, remote_config
from edge.beginning import begin
from edge.bundles import MOST_BOOTS, Bundles, Ledger
from edge.config import load
from edge.errands import Finding, Waiting
from edge.hub_clock import HubClock
from edge.remote_config import RemoteConfig
from edge.resting import Resting
from firmware_configs.gps import GPS
from firmware_configs.schema import VARIABLE
from protocol.clock import ManualClock
from protocol.errors import ConfigurationError, DeviceRefusedError

OLD, NEW = "1-aaaaaaaaaaaa", "2-bbbbbbbbbbbb"
SITE = '[gateway]\nid = "g1"\n[hub]\nbroker = "mqtt://127.0.0.1"\napi = "http://127.0.0.1:9"\n[uplink]\nwindow = 1\n'


class PowerCutError(BaseException):
    """Nothing of the program runs after it."""


@contextmanager
def power_cut_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cut the power before the n-th call that changes the disk."""
    calls = itertools.count()

    def cutting(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if next(calls) == step:
                raise PowerCutError
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for place, name in (
            (os, "fsync"),
            (os, "open"),
            (Path, "rename"),
            (Path, "replace"),
            (Path, "mkdir"),
            (Path, "write_text"),
        ):
            patched.setattr(place, name, cutting(getattr(place, name)))
        yield


def site(folder: Path) -> Path:
    file = folder / "site.toml"
    file.write_text(SITE)
    return file


def add(bundles: Bundles, bundle: str, window: int) -> None:
    with bundles.adding(bundle) as folder:
        (folder / "config.toml").write_text(f"[uplink]\nwindow = {window}\n")


def test_a_power_cut_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    seen = set()
    for step in itertools.count():
        folder = tmp_path / str(step)
        folder.mkdir()
        file = site(folder)
        bundles = Bundles(folder / "data")
        add(bundles, OLD, 2)
        bundles.write(Ledger(running=OLD))
        done = False
        with suppress(PowerCutError), power_cut_at(step, monkeypatch):
            add(bundles, NEW, 3)
            done = bundles.write(bundles.read().taken_over(NEW))
        window = begin(file, counted=True).uplink.window
        seen.add(window)
        assert window == (2 if bundles.read().running == OLD else 3)
        add(bundles, NEW, 3)  # and what was cut off can be done again
        bundles.write(bundles.read().proven().taken_over(NEW))
        assert begin(file, counted=True).uplink.window == 3
        if done:
            break
    assert seen == {2, 3}
    assert step > 10


def test_a_box_without_a_bundle_runs_what_it_came_with(tmp_path: Path) -> None:
    assert begin(site(tmp_path), counted=True).uplink.window == 1
    assert not (tmp_path / "data/configuration/state.json").exists()


def test_a_trial_that_begins_too_often_ends(tmp_path: Path) -> None:
    file, bundles = site(tmp_path), Bundles(tmp_path / "data")
    add(bundles, OLD, 2)
    add(bundles, NEW, 3)
    bundles.write(Ledger(running=OLD).taken_over(NEW))
    for _ in range(MOST_BOOTS):
        assert begin(file, counted=False).uplink.window == 3
        assert begin(file, counted=True).uplink.window == 3
    assert begin(file, counted=True).uplink.window == 2
    ledger = bundles.read()
    assert (ledger.running, ledger.outcome, ledger.about) == (OLD, "returned", NEW)
    assert ledger.rejects(NEW)
    assert not ledger.rejects(OLD)
    assert begin(file, counted=True).uplink.window == 2


@pytest.mark.parametrize("damage", ["gone", "no toml", "of the box"])
def test_a_bundle_that_cannot_run_any_more_is_left_for_the_one_before(tmp_path: Path, damage: str) -> None:
    file, bundles = site(tmp_path), Bundles(tmp_path / "data")
    add(bundles, OLD, 2)
    add(bundles, NEW, 3)
    bundles.write(Ledger(running=NEW, previous=OLD))
    for bundle, rest in ((NEW, 2), (OLD, 1)):
        place = bundles.place(bundle)
        assert place is not None
        if damage == "gone":
            (place / "config.toml").unlink()
        else:
            (place / "config.toml").write_text("= 1" if damage == "no toml" else '[hub]\nbroker = "mqtt://spy"\n')
        bundles.write(Ledger(running=bundle, previous=OLD if bundle == NEW else ""))
        assert begin(file, counted=True).uplink.window == rest
        assert bundles.read().outcome == "returned"


def test_without_any_configuration_that_runs_the_mistake_is_said(tmp_path: Path) -> None:
    file = site(tmp_path)
    file.write_text(SITE + "[nonsense]\n")
    with pytest.raises(ConfigurationError, match="nonsense: no such section"):
        begin(file, counted=True)


def test_profiles_that_came_with_a_bundle_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    bundles = Bundles(tmp_path / "data")
    profile = GPS.file("quectel-l76k").read_text()
    with bundles.adding(NEW) as folder:
        (folder / "config.toml").write_text("")
        (folder / "firmware_configs/gps").mkdir(parents=True)
        (folder / "firmware_configs/gps/quectel-l99.toml").write_text(profile)
    bundles.write(Ledger(running=NEW))
    begin(site(tmp_path), counted=False)
    assert "quectel-l99" in GPS.names()


def test_only_what_runs_or_ran_before_is_kept(tmp_path: Path) -> None:
    bundles = Bundles(tmp_path)
    for number in range(4):
        add(bundles, f"{number}-aaaaaaaaaaaa", 1)
    bundles.prune(Ledger(running="3-aaaaaaaaaaaa", previous="1-aaaaaaaaaaaa"))
    assert [bundles.has(f"{number}-aaaaaaaaaaaa") for number in range(4)] == [False, True, False, True]


def test_a_full_disk_keeps_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = Bundles(tmp_path)
    assert bundles.write(Ledger(running=OLD))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.bundles.replace_file", full)
    assert not bundles.write(Ledger(running=NEW))
    assert bundles.read().running == OLD


acts = st.lists(st.sampled_from(["take", "prove", "refuse", "boot", "fail"]), max_size=30)


@given(acts)
def test_whatever_happens_a_box_has_something_to_go_back_to(does: list[str]) -> None:
    """What runs was proven, or what it goes back to was."""
    ledger, proven, number = Ledger(), {""}, 0
    for act in does:
        if act == "take" and ledger.outcome != "trying":
            number += 1
            ledger = ledger.taken_over(f"{number}-aaaaaaaaaaaa")
        elif act == "prove" and ledger.outcome == "trying":
            ledger = ledger.proven()
            proven.add(ledger.running)
        elif act == "refuse":
            ledger = ledger if ledger.outcome == "trying" else ledger.refused("9-cccccccccccc", "no")
        elif act == "fail" and ledger.outcome == "trying":
            ledger = ledger.returned("no hub")
        assert ledger.running in proven or (ledger.outcome == "trying" and ledger.previous in proven)


class Errands:
    """Answers errands with what a test says, and notes them."""

    def __init__(self, *answers: Finding) -> None:
        self.answers = list(answers)
        self.made: list[tuple[str, datetime]] = []

    async def run(self, verb: str, _: Path, at: datetime, __: Waiting | None) -> Finding:
        self.made.append((verb, at))
        return Finding(outcome="nothing") if verb == "report" else self.answers.pop(0)


class AgentEnded(Exception):  # noqa: N818 - nothing went wrong
    """The agent begins anew; nothing that runs now goes on."""


class Remote:
    """The box's side of its configuration, on a clock that the test turns."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *answers: Finding) -> None:
        file = site(folder)
        self.clock = ManualClock(datetime(1970, 1, 1, tzinfo=UTC))
        self.hub_clock = HubClock(self.clock)
        self.errands = Errands(*answers)
        self.restarts = 0
        self.said: list[str] = []
        config = load(file)
        self.bundles = Bundles(config.data)
        monkeypatch.setattr(errands, "run", self.errands.run)
        self.remote = RemoteConfig(
            config,
            file,
            self.hub_clock,
            self.clock,
            resting=Resting(dict),
            keep=self._keep,
            restart=self._restart,
        )

    async def _keep(self, report: Any) -> None:
        self.said.append(report.record.type)

    async def look(self) -> None:
        """Let it look once, and end if it wants to begin anew."""
        with suppress(AgentEnded):
            await self.remote._look()

    def _restart(self) -> Never:
        self.restarts += 1
        raise AgentEnded


HUB_AT = datetime(2026, 11, 24, 8, tzinfo=UTC)


async def test_how_late_it_is_is_the_hubs_word_and_never_before_what_was_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Finding(outcome="wanted", bundle="")
    lies = Finding(outcome="not_trusted", reason="out of date")
    box = Remote(tmp_path, monkeypatch, wanted, lies, lies)
    box.hub_clock.hear(HUB_AT)
    await box.look()
    assert box.errands.made[-1] == ("fetch", HUB_AT)
    assert box.bundles.read().floor == HUB_AT
    box.hub_clock.forget()
    box.hub_clock.hear(HUB_AT - timedelta(days=30))  # somebody leads the box back to when old metadata was good
    await box.look()
    assert box.errands.made[-1] == ("fetch", HUB_AT)
    assert box.said == ["configuration.not_trusted"]
    box.hub_clock.forget()
    box.hub_clock.hear(HUB_AT + timedelta(days=400))  # and a hub whose clock is wrong poisons nothing for ever
    await box.look()
    assert box.bundles.read().floor == HUB_AT
    assert box.said == ["configuration.not_trusted"]  # said once
    assert box.restarts == 0


async def test_a_bundle_takes_over_once_and_one_that_was_left_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Finding(outcome="wanted", bundle=NEW)
    box = Remote(tmp_path, monkeypatch, wanted, wanted, wanted)
    box.hub_clock.hear(HUB_AT)
    await box.look()
    assert (box.restarts, box.bundles.read().running, box.bundles.read().outcome) == (1, NEW, "trying")
    await box.look()
    assert box.restarts == 1
    box.bundles.write(box.bundles.read().returned("no hub"))
    await box.look()
    assert (box.restarts, box.bundles.read().running) == (1, "")


async def test_what_cannot_run_is_said_and_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Finding(outcome="refused", bundle=NEW, about=NEW, reason="devices.a: no driver")
    box = Remote(tmp_path, monkeypatch, refused, Finding(outcome="unavailable", reason="no route"))
    box.hub_clock.hear(HUB_AT)
    await box.look()
    assert (box.restarts, box.bundles.read().running, box.bundles.read().rejects(NEW)) == (0, "", True)
    assert box.said == ["configuration.refused"]
    assert [verb for verb, _ in box.errands.made] == ["fetch", "report"]
    await box.look()
    assert box.restarts == 0


async def test_a_box_that_keeps_its_configuration_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Remote(tmp_path, monkeypatch)
    assert await box.remote.configure({}) == {"running": ""}
    monkeypatch.setattr(remote_config.RemoteConfig, "_obeys", property(lambda _: False))
    with pytest.raises(DeviceRefusedError, match="from the hub"):
        await box.remote.configure({})
