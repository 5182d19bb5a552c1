"""What people read of an alert, in Chinese and in English."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.notifications.contract import AlertNotice, Occasion
from hub.words.catalogue import Language, described, words

_OCCASION_ZH: Final = {Occasion.RAISED: "告警", Occasion.WORSE: "告警升级", Occasion.ENDED: "告警恢复"}
_OCCASION_EN: Final = {Occasion.RAISED: "alert", Occasion.WORSE: "alert, worse", Occasion.ENDED: "alert ended"}

_BEIJING: Final = ZoneInfo("Asia/Shanghai")


def worded(notice: AlertNotice, occasion: Occasion, language: Language) -> str:
    """Return one line: how bad, what, where, since when, whose."""
    if language == "zh-CN":
        parts = [
            f"【{words(language)['severity'][notice.severity]}】{_OCCASION_ZH[occasion]}",
            described(notice.type, notice.summary, language),
            f"主体 {notice.subject_name}" if notice.subject_name else "",
            f"网格 {notice.grid_name}" if notice.grid_name else "",
            f"设备 {notice.gateway}/{notice.device}",
            f"时间 {_local(notice.at)}",
            f"网格责任人 {notice.officer_name}" if notice.officer_name else "",
            f"第 {notice.times_seen} 次" if notice.times_seen > 1 else "",
        ]
        return " · ".join(part for part in parts if part)
    parts = [
        f"[{notice.severity.upper()}] {_OCCASION_EN[occasion]}",
        described(notice.type, notice.summary, language),
        f"subject {notice.subject_name}" if notice.subject_name else "",
        f"grid {notice.grid_name}" if notice.grid_name else "",
        f"device {notice.gateway}/{notice.device}",
        f"at {_local(notice.at)}",
        f"officer {notice.officer_name}" if notice.officer_name else "",
        f"seen {notice.times_seen} times" if notice.times_seen > 1 else "",
    ]
    return " · ".join(part for part in parts if part)


def _local(at: datetime) -> str:
    return f"{at.astimezone(_BEIJING):%Y-%m-%d %H:%M:%S}"
