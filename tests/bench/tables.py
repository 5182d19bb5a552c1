"""How a bench says what it measured: Markdown on its standard output, which `tests.bench` collects."""

from collections.abc import Sequence


def heading(text: str) -> None:
    """Begin the section of a bench."""
    print(f"## {text}\n", flush=True)


def note(text: str) -> None:
    """Say something in a paragraph of its own."""
    print(f"{text}\n", flush=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, its first column as words and the others as figures."""
    head = [str(column) for column in columns]
    body = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in (head, *body)) for place in range(len(head))]
    rule = ["-" * widths[0], *("-" * (max(width, 2) - 1) + ":" for width in widths[1:])]
    for row in (head, rule, *body):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)
