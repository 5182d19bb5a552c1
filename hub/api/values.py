"""Values that many requests hold: row numbers and lines of text, bounded to what both databases store."""

from typing import Annotated

from pydantic import Field, StringConstraints

from protocol.topics import LEVEL_PATTERN

RowNumber = Annotated[int, Field(ge=1, le=2**63 - 1)]
Level = Annotated[str, StringConstraints(pattern=LEVEL_PATTERN)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
