"""What an assistant may be asked to do: patrol, look, report, remind. Never to inspect."""

import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final

from hub.organisation.model import Officer
from protocol.errors import RefusedRequestError


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of law: its dotted id, the article that sets it, where and since when it is in force."""

    id: str
    article: str
    jurisdiction: str
    valid_from: date


ASSISTANTS_DO_NOT_INSPECT: Final = Rule(
    "tasks.assistants_do_not_inspect",
    "国办发〔2024〕54号: 严禁未取得执法证件的执法辅助人员、网格员、临时工等人员实施涉企行政检查",
    "CN",
    date(2025, 1, 1),
)

_INSPECTION: Final = ("inspect", "检查", "檢查")


def is_inspection(kind: str) -> bool:
    """Tell whether a kind of task says inspection, however it is written."""
    plain = unicodedata.normalize("NFKC", kind).casefold()
    return any(word in plain for word in _INSPECTION)


def require_authority(kind: str, officer: Officer | None) -> None:
    """Raise RefusedRequestError (403) when a task of this kind may not be this officer's."""
    if officer is not None and officer.kind == "assistant" and is_inspection(kind):
        rule = ASSISTANTS_DO_NOT_INSPECT
        raise RefusedRequestError(
            rule.id, f"an assistant may not be given a task {kind!r} ({rule.article})", status=403
        )
