"""Lists by keyset cursors: `{"items": […], "next": "<cursor>" | null}`.

A cursor is opaque and stays valid while rows come and go.

    @router.get("/alerts")
    async def alerts(parts: PartsHere, paging: PagingHere, …) -> Page[AlertOut]:
        async with parts.database.read() as session:
            return await paging.page(session, select(AlertRow), (AlertRow.at.desc(), AlertRow.id.desc()), AlertOut.of)

The last ordering column must make the order total (a unique one); none may be NULL.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, UnaryExpression, and_, inspect, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapper
from sqlalchemy.sql.operators import desc_op

from protocol.errors import RefusedRequestError

MAX_LIMIT: Final = 500
_MAX_CURSOR: Final = 2000

Item = TypeVar("Item")
Row = TypeVar("Row")
Ordering = InstrumentedAttribute[Any] | UnaryExpression[Any]
Key = str | int | float | datetime | UUID


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None = Field(description="Cursor of the following page; null on the last one")


@dataclass(frozen=True, slots=True)
class Paging:
    """What the caller asked for: how many, and after which row."""

    limit: int
    cursor: str | None = None

    async def page(
        self,
        session: AsyncSession,
        statement: Select[Row],
        order: Sequence[Ordering],
        shape: Callable[[Row], Item],
    ) -> Page[Item]:
        """Run a select of one entity in this order and return one page of it, each row shaped.

        Raises RefusedRequestError (400) when the cursor was not made for this order.
        """
        rows = list(await session.scalars(self.following(statement, order).limit(self.limit + 1)))
        more = len(rows) > self.limit
        rows = rows[: self.limit]
        cursor = _encoded([_value(rows[-1], _column(each)) for each in order]) if more else None
        return Page(items=[shape(row) for row in rows], next=cursor)

    def following(self, statement: Select[Row], order: Sequence[Ordering]) -> Select[Row]:
        """Return the select in this order, narrowed to what follows the cursor. Raises as `page` does."""
        if self.cursor is not None:
            columns = [(_column(each), _descends(each)) for each in order]
            statement = statement.where(_beyond(columns, _decoded(self.cursor, columns)))
        return statement.order_by(*order)


def _paging(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="At most so many items")] = 100,
    cursor: Annotated[str | None, Query(max_length=_MAX_CURSOR, description="`next` of the page before")] = None,
) -> Paging:
    return Paging(limit, cursor)


PagingHere = Annotated[Paging, Depends(_paging)]


def _column(ordering: Ordering) -> ColumnElement[Any]:
    element = ordering.element if isinstance(ordering, UnaryExpression) else ordering
    column: ColumnElement[Any] = element.expression if isinstance(element, InstrumentedAttribute) else element
    return column


def _value(row: object, column: ColumnElement[Any]) -> Key:
    mapper: Mapper[Any] = inspect(row).mapper
    value: Key = getattr(row, mapper.get_property_by_column(column).key)
    return value


def _descends(ordering: Ordering) -> bool:
    return isinstance(ordering, UnaryExpression) and ordering.modifier is desc_op


def _beyond(columns: Sequence[tuple[ColumnElement[Any], bool]], keys: Sequence[Key]) -> ColumnElement[bool]:
    """(a, b) > (x, y), for columns that may go up and down: a > x OR (a = x AND b > y)."""
    steps = []
    for position, ((column, descends), key) in enumerate(zip(columns, keys, strict=True)):
        same = [earlier == keys[index] for index, (earlier, _) in enumerate(columns[:position])]
        steps.append(and_(*same, column < key if descends else column > key))
    return or_(*steps)


def _encoded(keys: Sequence[Key]) -> str:
    written = [
        key.isoformat() if isinstance(key, datetime) else str(key) if isinstance(key, UUID) else key for key in keys
    ]
    return base64.urlsafe_b64encode(json.dumps(written, separators=(",", ":")).encode()).decode().rstrip("=")


def _decoded(cursor: str, columns: Sequence[tuple[ColumnElement[Any], bool]]) -> list[Key]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        written = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        keys = list(zip(written, columns, strict=True))
        return [_read(value, column.type.python_type) for value, (column, _) in keys]
    except (ValueError, TypeError, RecursionError) as error:
        detail = "the cursor is not one that this list gave"
        raise RefusedRequestError("paging.bad_cursor", detail, status=400) from error


def _read(value: object, kind: type) -> Key:
    if kind is datetime and isinstance(value, str):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None or not _FIRST_YEAR <= at.year <= _LAST_YEAR:
            raise ValueError("not an instant")
        return at.astimezone(UTC)
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    if kind is int and type(value) is int and -(2**63) <= value < 2**63:
        return value
    if kind is str and isinstance(value, str) and b"\x00" not in value.encode():
        return value
    if kind is float and type(value) is float:
        return value
    raise ValueError(f"not of the type {kind.__name__}")


_FIRST_YEAR: Final = 2
_LAST_YEAR: Final = 9998
