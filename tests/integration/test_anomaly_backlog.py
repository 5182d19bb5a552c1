"""A backlog that comes late, out of order, in portions and over restarts ends in the same anomalies as live data."""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.anomalies.fixes import Fix
from hub.anomalies.settings import LOCATION_JUMP, LOCATION_LOST, LOCATION_OUTSIDE, LOCATION_SPEED
from hub.storage.database import Database, open_database
from tests.databases import create_tables
from tests.simulators.supervised import DAWN, MIDDLE, Site, Told, supervised
from tests.simulators.tracks import Wander, displaced, recorded, standing

DUTY = timedelta(hours=12)


def eventful(seed: int) -> list[Fix]:
    """Two hours of an officer: exits, glitches, a leap and a silence, in noise."""
    chance = random.Random(seed)
    wander = Wander(chance, 5.0)
    fixes = []
    for number, still in enumerate(standing(*MIDDLE, DAWN, count=720)):
        north, east = wander.after(10)
        fix = displaced(still, north, east)
        if 90 <= number < 130 or 300 <= number < 320:
            fix = displaced(fix, 900, 0)
        if number in {40, 41, 200}:
            fix = displaced(fix, 0, 4_000)
        if 430 <= number < 470:
            continue
        if number >= 600:
            fix = displaced(fix, 20_000, 0)
        fixes.append(fix)
    return fixes


async def lived(site: Site, device: str, portions: Sequence[Sequence[Fix]], chance: random.Random) -> None:
    """Let a device's fixes come in portions, with restarts and jobs between some of them."""
    received_at = DAWN + timedelta(hours=11)
    for portion in portions:
        await site.report(device, portion, received_at=received_at)
        if chance.random() < 0.2:
            site.restart()
        if chance.random() < 0.2:
            await site.settle()
    await site.settle()


def cut(fixes: Sequence[Fix], chance: random.Random) -> list[list[Fix]]:
    """Cut fixes into portions of 1 to 90."""
    portions, start = [], 0
    while start < len(fixes):
        size = chance.randint(1, 90)
        portions.append(list(fixes[start : start + size]))
        start += size
    return portions


async def both_ways(site: Site, track: list[Fix], seed: int, *, shuffled: bool) -> tuple[object, object]:
    """Return what stands after the same track live, and in other portions in another order."""
    chance = random.Random(seed)
    live, late = f"live-{seed}", f"late-{seed}"
    await site.carry(live)
    await site.carry(late)
    for portion in cut(track, random.Random(0)):
        await site.report(live, portion, received_at=DAWN + timedelta(hours=11))
    fixes = list(track)
    if shuffled:
        chance.shuffle(fixes)
    portions = cut(fixes, chance)
    chance.shuffle(portions)
    await lived(site, late, portions, chance)
    return await site.told(live), await site.told(late)


async def test_a_shuffled_day_is_judged_like_a_live_one(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.duty(DAWN, DAWN + DUTY)
        live, late = await both_ways(site, eventful(1), 1, shuffled=True)
        assert live == late
        kinds = {kind for kind, _, _ in await site.told("live-1")}
        assert {LOCATION_OUTSIDE, LOCATION_SPEED, LOCATION_LOST} <= kinds


async def test_portions_in_any_order_are_judged_like_live_ones(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.duty(DAWN, DAWN + DUTY)
        for seed in (2, 3, 4):
            live, late = await both_ways(site, eventful(seed), seed, shuffled=False)
            assert live == late


async def test_recordings_in_any_order_are_judged_like_live_ones(sqlite_database: Database, tmp_path: Path) -> None:
    async with supervised(sqlite_database, tmp_path) as site:
        for number, (name, track) in enumerate(recorded().items()):
            if name == "drive at 1 Hz":
                continue
            shift = round(DAWN.timestamp() * 1e6) - track[0].at_us
            today = [Fix(fix.at_us + shift, fix.latitude, fix.longitude, fix.sigma_m) for fix in track]
            await site.duty(DAWN + number * DUTY, DAWN + (number + 1) * DUTY)
            live, late = await both_ways(site, today, 100 + number, shuffled=True)
            assert live == late, name


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), order=st.permutations(range(12)), doubled=st.sets(st.integers(0, 11)))
def test_any_order_of_portions(seed: int, order: list[int], doubled: set[int]) -> None:
    """Also when portions come again in other batches."""

    async def judged() -> None:
        with tempfile.TemporaryDirectory() as folder:
            database = open_database(f"sqlite:///{folder}/hub.db")
            try:
                await create_tables(database)
                async with supervised(database, Path(folder)) as site:
                    await site.duty(DAWN, DAWN + DUTY)
                    await site.carry("live")
                    await site.carry("late")
                    track = eventful(seed)
                    edges = [round(len(track) * part / 12) for part in range(13)]
                    portions = [track[edges[part] : edges[part + 1]] for part in range(12)]
                    for portion in portions:
                        await site.report("live", portion, received_at=DAWN + timedelta(hours=11))
                    shuffled = [portions[part] for part in order] + [portions[part] for part in doubled]
                    await lived(site, "late", shuffled, random.Random(seed))
                    assert await site.told("live") == await site.told("late")
            finally:
                await database.close()

    asyncio.run(judged())


async def test_state_that_was_lost_comes_back_from_what_is_stored(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.duty(DAWN, DAWN + DUTY)
        await site.carry("van-7")
        track = eventful(5)
        for portion in cut(track, random.Random(5)):
            await site.report("van-7", portion, received_at=DAWN + timedelta(hours=11))
        before = await site.standing("van-7")
        await site.forget("van-7", track[0].at_us)
        assert await site.standing("van-7") == before
        assert before


async def test_what_a_backlog_disproves_is_withdrawn_and_its_alert_told(database: Database, tmp_path: Path) -> None:
    """Live, six fixes far away look like a leap out of the grid; what came between shows a glitch."""
    async with supervised(database, tmp_path) as site:
        await site.duty(DAWN, DAWN + DUTY)
        await site.carry("van-7")
        track = standing(*MIDDLE, DAWN, count=60)
        away = [displaced(fix, 700, 0) for fix in track[20:32:2]]
        between = [fix for fix in track[20:32] if fix.at_us not in {each.at_us for each in away}]
        await site.report("van-7", track[:20])
        await site.report("van-7", away)
        assert LOCATION_OUTSIDE in {row.type for row in await site.anomalies()}
        await site.report("van-7", [*between, *track[32:]])
        await site.settle()
        assert {row.type for row in await site.anomalies()} <= {LOCATION_JUMP}
        (alert,) = [each for each in await site.alerts() if each.type == LOCATION_OUTSIDE]
        assert alert.times_seen == 0
        assert alert.condition_ended_at is not None
        assert alert.closed_at is None


async def test_an_anomaly_keeps_its_identity_when_late_data_confirms_it(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.duty(DAWN, DAWN + DUTY)
        await site.carry("van-7")
        track = standing(*MIDDLE, DAWN, count=90)
        outside = [displaced(fix, 700, 0) for fix in track[30:60]]
        await site.report("van-7", track[:30:2])
        await site.report("van-7", outside)
        await site.report("van-7", track[60:])
        before = {told for told in await site.standing("van-7") if told[1] == LOCATION_OUTSIDE}
        await site.report("van-7", track[1:30:2])
        await site.settle()
        assert {told for told in await site.standing("van-7") if told[1] == LOCATION_OUTSIDE} == before
        assert len(before) == 1


async def in_portions(site: Site, device: str, portions: Sequence[Sequence[Fix]]) -> list[Told]:
    await site.carry(device)
    for portion in portions:
        await site.report(device, portion, received_at=DAWN + timedelta(hours=11))
        await site.settle()
    return await site.told(device)


async def test_a_checkpoint_that_missed_late_fixes_is_not_gone_on_from(database: Database, tmp_path: Path) -> None:
    """The exit began at 0:45, in fixes that came after the state of 0:59 had been kept; then others of 1:05 come."""
    async with supervised(database, tmp_path) as site:
        await site.duty(DAWN, DAWN + DUTY)
        still = standing(*MIDDLE, DAWN, count=480)
        track = [displaced(fix, min(max(number - 270, 0) * 60, 700), 0) for number, fix in enumerate(still)]
        live = await in_portions(site, "live", [track])
        late = await in_portions(
            site, "late", [track[:240], track[348:390] + track[400:], track[240:348], track[390:400]]
        )
        assert late == live
        assert [kind for kind, _, _ in live] == [LOCATION_OUTSIDE]


async def test_an_exit_that_did_not_end_after_all_lasts_again(database: Database, tmp_path: Path) -> None:
    """Six fixes back inside, a minute apart, ended it; what lay between shows that each was a glitch."""
    async with supervised(database, tmp_path) as site:
        await site.duty(DAWN, DAWN + DUTY)
        still = standing(*MIDDLE, DAWN, count=480)
        track = [displaced(fix, min(max(number - 270, 0) * 60, 700), 0) for number, fix in enumerate(still)]
        inside = [still[number] for number in range(420, 456, 6)]
        outside = [fix for number, fix in enumerate(track) if number not in range(420, 456, 6)]
        await in_portions(site, "van-7", [track[:420], inside])
        (before,) = [row for row in await site.anomalies("van-7") if row.type == LOCATION_OUTSIDE]
        assert before.ended_at is not None
        await site.report("van-7", outside[420:], received_at=DAWN + timedelta(hours=11))
        await site.settle()
        (after,) = [row for row in await site.anomalies("van-7") if row.type == LOCATION_OUTSIDE]
        assert (after.id, after.ended_at) == (before.id, None)
