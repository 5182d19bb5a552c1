"""The InfluxDB store against what a server may do: refuse, be away, answer 2.x's and 3's own words, be killed."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID

import pytest
from uuid_utils.compat import uuid4, uuid7

from hub.telemetry import influx_lines as lines
from hub.telemetry.contract import Arrival, Committed, Retention, Sample, SeriesKey
from hub.telemetry.influx_server import InfluxAddress
from hub.telemetry.influx_store import InfluxStore
from protocol.errors import ConfigurationError, PermanentError, StoreUnavailableError
from protocol.messages import Batch, Position, Reading, Record
from tests.simulators.influxd import TOKEN, Influxd, V2Front

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
SERIES = SeriesKey("g1", "counter", "value")
EMPTY = (200, {"results": [{"statement_id": 0}]})


def arrival(*records: Record) -> Arrival:
    return Arrival(Batch(id=uuid7(), gateway="g1", epoch=UUID(int=1), seq=1, sent_at=T0, records=records), T0)


def reading(number: int, **values: float | bool | str) -> Reading:
    return Reading(device="counter", at=T0 + timedelta(seconds=number), values=values or {"value": float(number)})


class Scripted:
    """Answers as the documentation of InfluxDB 2.x and 3 says, by script: (status, JSON[, headers]) per path."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, object] | tuple[int, object, dict[str, str]]]] = {}
        self.seen: list[tuple[str, dict[str, str], str, bytes]] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                authorization = self.headers.get("Authorization", "")
                scripted.seen.append((url.path, dict(parse_qsl(url.query)), authorization, body))
                waiting = scripted.answers.get(url.path, [])
                if waiting:
                    status, value, *more = waiting.pop(0)
                elif url.path == "/query":
                    statements = parse_qs(body.decode())["q"][0].split(";")
                    results = [{"statement_id": number} for number in range(len(statements))]
                    status, value, more = 200, {"results": results}, []
                else:
                    status, value, more = 204, None, []
                payload = b"" if value is None else json.dumps(value).encode()
                self.send_response(status)
                for name, text in (more[0] if more else {}).items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """The tests look at `seen`."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    made = Scripted()
    thread = Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
async def store(scripted: Scripted) -> AsyncIterator[InfluxStore]:
    opened = await InfluxStore.opened(InfluxAddress(scripted.url, "diwang", "an-org", "a-secret"))
    scripted.seen.clear()
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"code": "unauthorized", "message": "unauthorized access"}, StoreUnavailableError),
        (403, {"code": "forbidden", "message": "insufficient permissions"}, StoreUnavailableError),
        (404, {"code": "not found", "message": 'bucket "diwang" not found'}, StoreUnavailableError),
        (400, {"code": "invalid", "message": "unable to parse"}, PermanentError),
        (
            400,
            {"error": "partial write of line protocol occurred", "data": [{"line_number": 1}]},
            PermanentError,
        ),
        (422, {"code": "unprocessable entity", "message": "partial write: dropped=1"}, PermanentError),
        (429, {"code": "too many requests", "message": "org 1 has exceeded limited_write"}, StoreUnavailableError),
        (500, {"code": "internal error", "message": "an internal error has occurred"}, StoreUnavailableError),
        (503, {"code": "unavailable", "message": "service unavailable"}, StoreUnavailableError),
    ],
)
async def test_what_a_server_refuses_is_never_taken_for_stored(
    scripted: Scripted, store: InfluxStore, status: int, body: object, expected: type[Exception]
) -> None:
    offered = arrival(reading(1))
    scripted.answers["/api/v2/write"] = [(status, body, {"Retry-After": "7"})]
    with pytest.raises(expected) as caught:
        await store.commit([offered])
    assert "a-secret" not in str(caught.value)
    marks = [seen for seen in scripted.seen if b"batch," in seen[3]]
    assert marks == []
    assert await store.commit([offered]) == Committed()
    written = [seen[3] for seen in scripted.seen if seen[0] == "/api/v2/write"]
    assert len(written) == 3
    assert written[0] == written[1], "after a failure the type of the series is written again"


async def test_patience_that_a_server_asks_for_is_in_the_error(scripted: Scripted, store: InfluxStore) -> None:
    scripted.answers["/api/v2/write"] = [(429, {"code": "too many requests", "message": "slow"}, {"Retry-After": "7"})]
    with pytest.raises(StoreUnavailableError, match="7 s"):
        await store.commit([arrival(reading(1))])


async def test_a_failure_between_points_and_batch_ids_is_repeated_whole(scripted: Scripted, store: InfluxStore) -> None:
    offered = arrival(reading(1))
    scripted.answers["/api/v2/write"] = [(204, None), (503, {"code": "unavailable", "message": "-"})]
    with pytest.raises(StoreUnavailableError):
        await store.commit([offered])
    await store.commit([offered])
    written = [seen[3] for seen in scripted.seen if seen[0] == "/api/v2/write"]
    assert written[:2] == written[2:]


async def test_a_request_that_is_too_large_is_halved(scripted: Scripted, store: InfluxStore) -> None:
    too_large = (413, {"code": "request too large", "message": "cannot read data: points batch is too large"})
    scripted.answers["/api/v2/write"] = [too_large, (204, None), too_large]
    await store.commit([arrival(*(reading(number) for number in range(7)))])
    first, *halves, marks = [seen[3].split(b"\n") for seen in scripted.seen if seen[0] == "/api/v2/write"]
    assert [line for half in (halves[0], *halves[2:]) for line in half] == first
    assert marks[0].startswith(b"batch,")
    scripted.answers["/api/v2/write"] = [too_large] * 20
    with pytest.raises(PermanentError, match="too large"):
        await store.commit([arrival(reading(1))])


async def test_writes_and_questions_are_as_documented(scripted: Scripted, store: InfluxStore) -> None:
    await store.commit([arrival(reading(1))])
    await store.samples(SERIES, *EVER, 10)
    write = next(seen for seen in scripted.seen if seen[0] == "/api/v2/write")
    assert write[1] == {"org": "an-org", "bucket": "diwang", "precision": "us"}
    assert write[2] == "Token a-secret"
    assert write[3].split(b"\n")[1] == b"reading,gateway=g1,device=counter,name=value number=1.0,received=%di %d" % (
        lines.microseconds(T0),
        lines.microseconds(T0) + 1_000_000,
    )
    asked = parse_qs(scripted.seen[-1][3].decode())
    assert (asked["db"], asked["epoch"], scripted.seen[-1][2]) == (["diwang"], ["u"], "Token a-secret")


async def test_an_answer_that_is_cut_short_or_no_answer_is_an_error(scripted: Scripted, store: InfluxStore) -> None:
    cut = {"results": [{"series": [{"name": "reading", "columns": ["time"], "values": [[1]], "partial": True}]}]}
    scripted.answers["/query"] = [(200, cut), (200, {"results": []}), (200, {"results": [{"error": "timeout"}]})]
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            await store.samples(SERIES, *EVER, 10)


async def test_a_server_that_cannot_delete_says_so(scripted: Scripted, store: InfluxStore) -> None:
    counted = {"results": [{"series": [{"name": "position", "columns": ["time", "count"], "values": [[0, 3]]}]}]}
    cannot = (400, {"error": "This feature is not implemented: DELETE"})
    scripted.answers["/query"] = [(200, {"results": [{"statement_id": 0}]}), (200, counted), cannot]
    with pytest.raises(PermanentError, match="DELETE"):
        await store.retain(Retention((), timedelta(days=1), timedelta(days=1)), T0)


async def test_a_wrong_token_or_bucket_is_told_at_the_start(scripted: Scripted) -> None:
    address = InfluxAddress(scripted.url, "diwang", "an-org", "wrong")
    scripted.answers["/query"] = [
        (401, {"code": "unauthorized", "message": "unauthorized access"}),
        (200, {"results": [{"error": "database not found: diwang"}]}),
        (404, {"error": "database not found"}),
    ]
    for _ in range(3):
        with pytest.raises(ConfigurationError):
            await InfluxStore.opened(address)


async def test_a_bucket_that_forgets_by_itself_is_refused(tmp_path: Path) -> None:
    server = Influxd(tmp_path / "influxd")
    server.query('CREATE DATABASE "short" WITH DURATION 30d')
    with V2Front(server) as front, pytest.raises(ConfigurationError, match="retention"):
        await InfluxStore.opened(InfluxAddress(front.url, "short", "an-org", TOKEN))
    server.stop()


async def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        await InfluxStore.opened(InfluxAddress("http://127.0.0.1:9", "diwang"))


async def test_kill_9_of_the_server_loses_nothing_acknowledged(tmp_path: Path) -> None:
    server = Influxd(tmp_path / "influxd")
    server.query('CREATE DATABASE "kill"')
    with V2Front(server) as front:
        store = await InfluxStore.opened(InfluxAddress(front.url, "kill", "an-org", TOKEN))
        offered = [arrival(*(reading(number * 7 + place) for place in range(7))) for number in range(40)]
        for number, batch in enumerate(offered):
            if number in {13, 29}:
                server.kill()
                with pytest.raises(StoreUnavailableError):
                    await store.commit([batch])
                server.start()
            assert await store.commit([batch]) == Committed()
        again = await store.commit(offered)
        assert again.duplicates == {batch.batch.id for batch in offered}
        samples = await store.samples(SERIES, *EVER, 1_000)
        assert [sample.value for sample in samples] == list(range(280))
        await store.close()
    server.stop()


async def test_two_hubs_agree_on_types(tmp_path: Path) -> None:
    server = Influxd(tmp_path / "influxd")
    server.query('CREATE DATABASE "two"')
    with V2Front(server) as front:
        address = InfluxAddress(front.url, "two", "an-org", TOKEN)
        one, other = await InfluxStore.opened(address), await InfluxStore.opened(address)
        await one.commit([arrival(reading(1, flag=True))])
        committed = await other.commit([arrival(reading(2, flag=1.0), reading(3, flag="on"))])
        assert [clash.index for clash in committed.clashes] == [1]
        series = SERIES._replace(name="flag")
        assert await one.samples(series, *EVER, 9) == [Sample(T0 + timedelta(seconds=n), value=True) for n in (1, 2)]
        extras = Arrival(
            arrival(reading(4), Position(device="v", at=T0, latitude=1, longitude=2)).batch, T0, {0: {"mv": 3}}
        )
        await one.commit([extras])
        (row,) = server.query('SELECT "extra" FROM "reading"', db="two")["results"][0]["series"][0]["values"]
        assert json.loads(row[1]) == {"mv": 3}
        await one.close()
        await other.close()
    server.stop()


@pytest.mark.parametrize("batch_id", [uuid4(), UUID(int=5), UUID(int=(7 << 76) | (2 << 62)), UUID(int=2**128 - 1)])
def test_an_id_without_a_time_is_filed_in_the_first_day(batch_id: UUID) -> None:
    assert 0 <= lines.batch_ns(batch_id) < lines.OTHER_IDS_END_NS


def test_an_id_with_a_time_is_filed_there() -> None:
    milliseconds = int(T0.timestamp() * 1_000)
    batch_id = UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | 12345)
    assert lines.batch_ns(batch_id) // 1_000_000 == milliseconds


@pytest.mark.parametrize("text", ["ends\\", "a,b=c d", "\n", "50%", "%5C", "é温度", "\u2028", "\\,"])
def test_any_text_survives_as_a_tag(text: str) -> None:
    assert lines.from_tag(lines.stored_tag(text)) == text
    written = lines.tag(text)
    assert "\n" not in written
    assert not written.endswith("\\")
