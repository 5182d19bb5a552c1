"""What is said of a printer to the people who stand before it: Chinese, then English."""

from collections.abc import Iterable
from typing import Final

from drivers.printer.contract import Condition

_CONDITIONS: Final = {
    Condition.PAPER_OUT: "缺纸 paper out",
    Condition.PAPER_NEAR_END: "纸快用完 paper nearly at its end",
    Condition.PAPER_JAM: "卡纸 paper jam",
    Condition.RIBBON_OUT: "缺碳带 ribbon out",
    Condition.COVER_OPEN: "盖子未合 cover open",
    Condition.OVERHEATED: "打印头过热 overheated",
    Condition.TOO_COLD: "打印头过冷 too cold",
    Condition.LOW_BATTERY: "电量低 low battery",
    Condition.PAUSED: "已暂停 paused",
    Condition.OFFLINE: "脱机 offline",
    Condition.FAULT: "故障 fault",
    Condition.BUSY: "忙 busy",
}
AWAY: Final = "打印中失去连接 out of reach in the middle of a ticket"
UNREACHED: Final = "连接不上 not reached"
SILENT: Final = "未确认打完 it does not say that the ticket is on paper"
INTERRUPTED: Final = (
    "打印中断电或重启，纸上可能不完整 the box stopped in the middle of the ticket; the paper may be incomplete"
)
NOT_BEGUN: Final = "未开始打印 it was not begun"
NOT_CONFIRMED: Final = "已全部发送，打印机不报告结果 all was sent; this printer does not say whether it is on paper"
CANCELLED: Final = "已取消 cancelled"


def conditions(found: Iterable[Condition]) -> str:
    """Say what is the matter, the worst first; empty when nothing is."""
    worth_saying = set(found) - {Condition.BUSY}
    if len(worth_saying) > 1:
        worth_saying -= {Condition.OFFLINE}  # it follows from the others
    return "；".join(words for condition, words in _CONDITIONS.items() if condition in worth_saying)


def waited_for(matter: str, seconds: float) -> str:
    """Say that nobody came."""
    return f"等了 {seconds:.0f} 秒 waited {seconds:.0f} s: {matter}"
