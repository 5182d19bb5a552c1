"""The page of benches tells what broke, and a table stays a table whatever stands in it."""

from datetime import UTC, datetime

import pytest

from tests.bench import tables
from tests.bench.__main__ import BENCHES, Section, page, run
from tests.simulators.edge_process import ROOT


def test_a_bench_that_breaks_leaves_its_error_in_its_section() -> None:
    section = run("that_is_not_there", 30)
    assert not section.whole
    assert section.text.startswith("## that_is_not_there")
    assert "ended with status 1" in section.text
    assert "No module named" in section.text


def test_a_bench_that_takes_too_long_is_ended() -> None:
    section = run("backlog", 0.3)
    assert not section.whole
    assert "was not done after" in section.text


def test_every_bench_is_on_the_page() -> None:
    assert set(BENCHES) == {file.stem.removeprefix("bench_") for file in (ROOT / "tests/bench").glob("bench_*.py")}


def test_the_page_holds_every_section_and_how_long_it_took() -> None:
    sections = [Section("one", "## One", 1.2, whole=True), Section("two", "## Two", 3.4, whole=False)]
    text = page(sections, datetime(2026, 11, 24, 8, tzinfo=UTC), "0.1, 0.2, 0.3")
    assert text.index("## One") < text.index("## Two")
    assert "one 1 s, two 3 s" in text
    assert "2026-11-24 08:00 UTC" in text


def test_a_table_has_as_many_cells_in_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    tables.table(("", "figure"), [("first", 1), ("a longer name", "2|3")])
    rows = capsys.readouterr().out.splitlines()
    assert {row.replace("\\|", "").count("|") for row in rows if row} == {3}
    assert rows[1].endswith(": |")
