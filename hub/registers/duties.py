"""What the law asks of a device that records, as data with its articles; and what of it is missing. Pure.

行政处罚法 (2021-07-15) Art. 41: devices that gather evidence pass a legal and a technical review, are marked plainly,
and the places where they stand are published. 公共安全视频图像信息系统管理条例 (国务院令第799号, 2025-04-01), here
视频条例: Art. 8 zones where nothing may be recorded, Art. 13 signs, Art. 14 filing with the police, Art. 17 retention.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

FILED_WITHIN: Final = timedelta(days=30)
LEAST_RETENTION_DAYS: Final = 30
RECORDING: Final = ("camera", "recorder")
"""Drivers of devices that record begin so."""


class View(StrEnum):
    """What a device has of a zone in its picture."""

    CLEAR = "clear"
    MASKED = "masked"
    SEEN = "seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that the law asks: its name, the article, and how people are told that it is missing."""

    item: str
    article: str
    valid_from: date
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A zone in which nothing may be recorded."""

    id: str
    article: str
    zh: str
    en: str


_PENALTY_LAW: Final = ("行政处罚法第四十一条", date(2021, 7, 15))
_VIDEO: Final = date(2025, 4, 1)

RULES: Final[Mapping[str, Rule]] = {
    rule.item: rule
    for rule in (
        Rule(
            item="purpose",
            article=_PENALTY_LAW[0],
            valid_from=_PENALTY_LAW[1],
            zh="未填写用途",
            en="the purpose is not stated",
        ),
        Rule(
            item="basis",
            article=_PENALTY_LAW[0],
            valid_from=_PENALTY_LAW[1],
            zh="未填写法律依据",
            en="the legal basis is not stated",
        ),
        Rule(
            item="review",
            article=_PENALTY_LAW[0],
            valid_from=_PENALTY_LAW[1],
            zh="未经法制和技术审核",
            en="legal and technical review are not both passed",
        ),
        Rule(
            item="sign",
            article="视频条例第十三条；" + _PENALTY_LAW[0],
            valid_from=_VIDEO,
            zh="未设置提示标识或无照片",
            en="no sign is posted, or there is no photo of it",
        ),
        Rule(
            item="location",
            article=_PENALTY_LAW[0],
            valid_from=_PENALTY_LAW[1],
            zh="设置地点未向社会公布",
            en="its place is not published",
        ),
        Rule(
            item="zones",
            article="视频条例第八条",
            valid_from=_VIDEO,
            zh="禁止区域未核查完或仍在画面内",
            en="a forbidden zone is unchecked, or in the picture",
        ),
        Rule(
            item="filing",
            article="视频条例第十四条",
            valid_from=_VIDEO,
            zh="启用满三十日未向公安机关备案",
            en="not filed with the police within thirty days of use",
        ),
        Rule(
            item="retention",
            article="视频条例第十七条",
            valid_from=_VIDEO,
            zh="保存期限少于三十日",
            en="footage is kept for less than thirty days",
        ),
    )
}

_ARTICLE_8: Final = "视频条例第八条"
ZONES: Final[Mapping[str, Zone]] = {
    zone.id: zone
    for zone in (
        Zone(id="guest_room", article=_ARTICLE_8, zh="客房、包间内部", en="guest rooms and private dining rooms"),
        Zone(
            id="dormitory",
            article=_ARTICLE_8,
            zh="宿舍、员工休息和用餐区域",
            en="dormitories, staff rest and meal rooms",
        ),
        Zone(id="toilet", article=_ARTICLE_8, zh="卫生间内部", en="toilets"),
        Zone(id="bath", article=_ARTICLE_8, zh="浴室内部", en="bath and shower rooms"),
        Zone(id="changing", article=_ARTICLE_8, zh="更衣室、试衣间内部", en="changing and fitting rooms"),
        Zone(id="nursing", article=_ARTICLE_8, zh="哺乳室内部", en="nursing rooms"),
        Zone(
            id="private",
            article=_ARTICLE_8,
            zh="其他能够拍摄、窥视、窃听他人隐私的区域",
            en="any other place where privacy is seen or heard",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a register says of one device, as far as the rules look at it."""

    purpose: str
    basis: str
    public_place: bool
    in_use_since: date | None
    reviewed: bool
    sign_posted: bool
    location_published: bool
    zones: Mapping[str, View]
    filed: bool
    retention_days: int | None

    @property
    def filing_due_on(self) -> date | None:
        """The last day to file it with the police; None when that is done, or not asked for."""
        if not self.public_place or self.filed or self.in_use_since is None:
            return None
        return self.in_use_since + FILED_WITHIN


def missing(entry: Entry, today: date) -> list[Rule]:
    """Return what the law asks and the register does not show, in the order of RULES."""
    due = entry.filing_due_on
    kept = {
        "purpose": bool(entry.purpose),
        "basis": bool(entry.basis),
        "review": entry.reviewed,
        "sign": entry.sign_posted,
        "location": entry.location_published,
        "zones": all(entry.zones.get(zone, View.SEEN) is not View.SEEN for zone in ZONES),
        "filing": not entry.public_place or entry.filed or (due is not None and today <= due),
        "retention": not entry.public_place or (entry.retention_days or 0) >= LEAST_RETENTION_DAYS,
    }
    return [rule for item, rule in RULES.items() if not kept[item]]


def records(driver: str) -> bool:
    """Tell whether a device of this driver records, so that it needs a register."""
    return driver.startswith(RECORDING)
