"""How wide the columns of a table are."""

from collections.abc import Callable

from protocol.documents import Table


def widths(table: Table, room: int, advance: Callable[[str], int], least: int) -> list[int]:
    """Divide `room` among the columns; together they fill it.

    A column without a share is as wide as its widest line, but leaves at least half of the room to the columns that
    have one and need it;
    the others get what is left in proportion to their shares, and nobody gets less than `least`. There must be room for
    that.
    """
    columns = table.columns
    natural = [
        max(
            (
                advance(line)
                for cell in (column.heading, *(row[number] for row in table.rows))
                for line in cell.split("\n")
            ),
            default=0,
        )
        for number, column in enumerate(columns)
    ]
    shares = sum(column.share for column in columns)
    wished = [0 if column.share else max(least, natural[number]) for number, column in enumerate(columns)]
    sharing = sum(1 for column in columns if column.share)
    needed = sum(wide for column, wide in zip(columns, natural, strict=True) if column.share)
    allowed = max(room // 2, room - needed) if shares else room
    allowed = min(allowed, room - least * sharing)
    wished = _within(wished, allowed, least)
    left = room - sum(wished) - least * sharing
    across = [
        least + left * column.share // shares if column.share else wish
        for column, wish in zip(columns, wished, strict=True)
    ]
    return _filled(across, room)


def _within(wished: list[int], allowed: int, least: int) -> list[int]:
    """Take from the widest until the columns without a share are within what they may have together."""
    wished = list(wished)
    while sum(wished) > allowed and max(wished) > least:
        widest = wished.index(max(wished))
        wished[widest] = max(least, max(wished) - (sum(wished) - allowed))
    return wished


def _filled(across: list[int], room: int) -> list[int]:
    """Give what division has left over to the last column."""
    return [*across[:-1], across[-1] + room - sum(across)]
