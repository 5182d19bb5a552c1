"""An InfluxDB server as this hub speaks to it: lines in, InfluxQL out, and its refusals in our own words.

InfluxQL is what 1.x, 2.x and 3 all answer. Writes are single synchronous requests: the client's batching writer drops
what it cannot deliver within minutes.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from protocol.errors import PermanentError, StoreUnavailableError

TIMEOUT_MS: Final = 10_000
STATEMENTS_PER_REQUEST: Final = 100

Answer = TypeVar("Answer")
Row = dict[str, Any]

_SETTINGS: Final = {
    HTTPStatus.UNAUTHORIZED: "the token is not accepted",
    HTTPStatus.FORBIDDEN: "the token may not do this",
    HTTPStatus.NOT_FOUND: "the bucket or organisation does not exist",
}


_REFUSED: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """Where the server is. `bucket` may be `database/retention-policy` as 1.x has them."""

    url: str
    bucket: str
    org: str = ""
    token: str = field(default="", repr=False)


class InfluxServer:
    """One server. Methods block.

    They raise StoreUnavailableError when it is away, busy or refuses our settings (RefusedSettingsError), and
    PermanentError when it refuses what it was sent.
    """

    def __init__(self, address: InfluxAddress) -> None:
        self._address = address
        token: Any = address.token or None
        self._client: Any = InfluxDBClient(address.url, token=token, org=address.org, timeout=TIMEOUT_MS)
        self._writer: Any = self._client.write_api(write_options=SYNCHRONOUS)
        database, _, policy = address.bucket.partition("/")
        self._database = {"db": database} | ({"rp": policy} if policy else {})

    def write(self, lines: Sequence[str], *, nanoseconds: bool = False) -> None:
        """Store lines whose times are in microseconds, or in nanoseconds."""
        if not lines:
            return
        precision: Any = WritePrecision.NS if nanoseconds else WritePrecision.US
        body = "\n".join(lines).encode()
        try:
            self._answered(lambda: self._writer.write(self._address.bucket, record=body, write_precision=precision))
        except _TooLargeError as error:
            if len(lines) == 1:
                raise PermanentError(f"one line of {len(body)} bytes is too large for the server") from error
            half = len(lines) // 2
            self.write(lines[:half], nanoseconds=nanoseconds)
            self.write(lines[half:], nanoseconds=nanoseconds)

    def query(self, *statements: str) -> list[list[Row]]:
        """Return the rows of each InfluxQL statement, tags and columns together; `time` is in microseconds."""
        found: list[list[Row]] = []
        for start in range(0, len(statements), STATEMENTS_PER_REQUEST):
            some = statements[start : start + STATEMENTS_PER_REQUEST]
            results = self._asked({"q": ";".join(some), "epoch": "u"})
            if len(results) != len(some):
                raise StoreUnavailableError(f"{len(results)} answers to {len(some)} statements")
            found.extend(_rows(result) for result in results)
        return found

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        self._client.close()

    def _asked(self, parameters: dict[str, str]) -> list[dict[str, Any]]:
        client = self._client.api_client
        headers = {**client.default_headers, "Content-Type": "application/x-www-form-urlencoded"}
        url, form = f"{self._address.url.rstrip('/')}/query", self._database | parameters
        body = self._answered(lambda: client.request("POST", url, headers=headers, post_params=form).data)
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise StoreUnavailableError(f"the server's answer is not JSON: {body[:200]!r}") from error
        results: list[dict[str, Any]] = answer.get("results", [])
        for result in results:
            if reason := result.get("error"):
                absent = "database not found" in reason or "bucket not found" in reason
                raise RefusedSettingsError(reason) if absent else StoreUnavailableError(reason)
        return results

    def _answered(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except ApiException as error:
            raise self._translated(error) from error
        except (HTTPError, OSError) as error:
            raise StoreUnavailableError(f"{self._address.url} does not answer: {type(error).__name__}") from error

    def _translated(self, error: ApiException) -> Exception:
        said = str(error.body or error.reason)[:500]
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _TooLargeError(said)
        if error.status in _SETTINGS:
            return RefusedSettingsError(f"{self._address.url}: {_SETTINGS[HTTPStatus(error.status)]}: {said}")
        if error.status in _REFUSED:
            return PermanentError(f"{error.status}: {said}")
        headers: Any = error.headers or {}
        wait = headers.get("Retry-After")
        return StoreUnavailableError(f"{error.status}: {said}" + (f"; asks for {wait} s of patience" if wait else ""))


class RefusedSettingsError(StoreUnavailableError):
    """Token, organisation or bucket are not (or no longer) accepted. Data waits until somebody sets that right."""


class _TooLargeError(PermanentError):
    """The server wants smaller requests."""


def _rows(result: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for series in result.get("series", []):
        if series.get("partial"):
            raise StoreUnavailableError("the server cut its answer short (max-row-limit)")
        tags, columns = series.get("tags", {}), series["columns"]
        rows.extend({**tags, **dict(zip(columns, values, strict=True))} for values in series.get("values", []))
    return rows
