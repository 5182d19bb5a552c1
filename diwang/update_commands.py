"""`diwang edge update` and `diwang edge slots`: what the hub wants this box to run, on the spot. In both languages."""

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from protocol.errors import DiwangError

if TYPE_CHECKING:
    from edge.config import Config
    from edge.errands import Finding

_SAYS: Final = {
    "nothing": ("中心没有为本机指定配置。", "The hub has not said what this box is to run."),
    "up_to_date": ("本机运行的正是中心要求的 {bundle}。", "This box runs what the hub wants: {bundle}."),
    "ready": ("{about} 已就绪，重启程序后试运行。", "{about} is ready; restart the agent to try it."),
    "rejected": ("{about} 试运行失败，不再重试。", "{about} was tried in vain, and is not tried again."),
    "refused": ("本机不能运行 {about}：{reason}", "This box cannot run {about}: {reason}"),
    "not_trusted": ("签名不可信，保留现有配置：{reason}", "Not signed as it must be; nothing is changed: {reason}"),
    "unavailable": ("无法取得：{reason}", "Out of reach: {reason}"),
    "slots": ("{root} 已就绪；以 {root}/launch.py 启动程序。", "{root} is ready; start the agent by {root}/launch.py."),
    "trust": ("已忘记原签名根，下次从中心重新取得。", "The signed root is forgotten, and taken from the hub anew."),
}


def update(
    config: Annotated[Path, typer.Option(help="TOML file of the box", exists=True, dir_okay=False)],
    *,
    forget_trust: Annotated[
        bool, typer.Option("--forget-trust", help="Take the first signed root from the hub anew: its keys were lost")
    ] = False,
) -> None:
    """Fetch what the hub wants this box to run, and let it take over at the next beginning of the agent.

    The agent does this by itself; this is for whoever stands before the box. Its clock must be right.
    """
    from edge import config as configuration  # noqa: PLC0415 - the agent's start must not load what this needs
    from edge.bundles import Bundles  # noqa: PLC0415 - as above

    try:
        identity = configuration.load_identity(config)
        if forget_trust:
            shutil.rmtree(Bundles(identity.data).trust, ignore_errors=True)
            _say("trust")
        found = asyncio.run(_updated(config, identity))
    except (DiwangError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if found.outcome in {"refused", "not_trusted", "unavailable"}:
        _say(found.outcome, about=found.about, reason=found.reason, wrong=True)
        raise typer.Exit(1)


def slots(
    root: Annotated[Path, typer.Argument(help="Folder whose sub-folder `a` holds this installation", file_okay=False)],
) -> None:
    """Make this installation the first of two slots, so that the hub can update the agent of this box."""
    from edge.slots import Slots  # noqa: PLC0415 - as above

    try:
        Slots(root).prepare()
    except (DiwangError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    _say("slots", root=root)


async def _updated(file: Path, identity: "Config") -> "Finding":
    """Fetch and, where something is new, let it take over; say what was done."""
    from importlib.metadata import version  # noqa: PLC0415 - as above

    from edge import errands  # noqa: PLC0415 - as above
    from edge.bundles import Bundles  # noqa: PLC0415 - as above
    from edge.slots import Slots  # noqa: PLC0415 - as above
    from protocol.clock import SystemClock  # noqa: PLC0415 - as above

    bundles, installed = Bundles(identity.data), Slots.of(identity.updates.slots)
    ledger, now = bundles.read(), SystemClock().now()
    found = await errands.run("fetch", file, max(now, ledger.floor or now))
    if found.outcome == "nothing":
        _say("nothing")
    if found.outcome != "wanted":
        return found
    if installed.lacks(found.release, version("diwang")):
        found = await errands.run("install", file, max(now, ledger.floor or now))
        if found.outcome == "ready":
            installed.switch(found.slot, found.release, identity.configuration.trial_s)
            _say("ready", about=found.release)
    elif ledger.rejects(found.bundle):
        _say("rejected", about=found.bundle)
    elif found.bundle == ledger.running:
        _say("up_to_date", bundle=found.bundle)
    elif bundles.write(ledger.taken_over(found.bundle)):
        _say("ready", about=found.bundle)
    return found


def _say(what: str, *, wrong: bool = False, **facts: object) -> None:
    for text in _SAYS[what]:
        typer.echo(text.format(**facts), err=wrong)
