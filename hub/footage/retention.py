"""How long footage is kept: per category, each with the rule behind it. A site sets its own numbers, never below 30.

公共安全视频图像信息系统管理条例 (国务院令第799号, 2025-04-01) Art. 17 sets the floor for all: at least 30 days, then
deletion once the purpose is met.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

LEAST_DAYS: Final = 30
ORDINARY: Final = "ordinary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A kind of footage: its names, the days it is kept, and the article behind them with its date."""

    id: str
    zh: str
    en: str
    days: float
    article: str
    valid_from: date
    jurisdiction: str = "CN"
    confirmed: bool
    """Whether the number stands in the article; else it is the usual one, and the site's to confirm."""


CATEGORIES: Final[Mapping[str, Category]] = {
    each.id: each
    for each in (
        Category(
            id="public_video",
            zh="公共场所视频",
            en="video of public places",
            days=30,
            article="公共安全视频图像信息系统管理条例(国务院令第799号)第十七条",
            valid_from=date(2025, 4, 1),
            confirmed=True,
        ),
        Category(
            id=ORDINARY,
            zh="日常执法音像记录",
            en="record of ordinary enforcement",
            days=180,
            article="市场监管部门执法音像记录工作规定(试行)(国市监稽〔2020〕118号)",
            valid_from=date(2020, 7, 17),
            confirmed=False,
        ),
        Category(
            id="case",
            zh="作为案件证据的音像记录",
            en="record that is evidence in a case",
            days=3_650,
            article="行政处罚法第四十七条;国市监稽〔2020〕118号",
            valid_from=date(2021, 7, 15),
            confirmed=False,
        ),
    )
}


def kept_for(category: str, days: Mapping[str, float]) -> timedelta:
    """Return how long a category is kept, where `days` says what a site has set."""
    return timedelta(days=max(days.get(category, CATEGORIES[category].days), LEAST_DAYS))
