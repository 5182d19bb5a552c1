"""Putting the sample district into a hub, through its API, once."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from diwang.demo import district
from diwang.demo.hub_client import HubClient
from diwang.demo.site import CAMERAS, GATEWAY, GPS

DEVICES_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Entered:
    """What the demonstration must remember of the hub between two runs; only the owner can read these files."""

    folder: Path

    @property
    def broker_password(self) -> Path:
        """The file with the gateway's password at the broker."""
        return self.folder / "broker-password"

    @property
    def district(self) -> Path:
        """The file that is there once the whole district is in the hub."""
        return self.folder / "district-entered"

    @property
    def webhook_secret(self) -> Path:
        """The file with the secret that signs webhooks."""
        return self.folder / "webhook-secret"


async def enter_district(hub: HubClient, entered: Entered) -> None:
    """Put units, grids, officers, roster and subjects in; what an interrupted run has put in is not put in twice."""
    if entered.district.exists():
        return
    for unit in district.org_units():
        await hub.post("/org-units", unit, once=f"demo-unit-{unit['id']}")
    await hub.post("/grids/import", district.grids(), once="demo-grids")
    officers: dict[str, str] = {}
    for number, officer in enumerate(district.officers()):
        officers[officer["name"]] = (await hub.post("/officers", officer, once=f"demo-officer-{number}"))["id"]
    for number, duty in enumerate(district.roster(officers)):
        await hub.post("/roster", duty, once=f"demo-duty-{number}")
    for number, subject in enumerate(district.subjects()):
        await hub.post("/subjects", subject, once=f"demo-subject-{number}")
    entered.district.touch()


async def enter_gateway(hub: HubClient, entered: Entered) -> None:
    """Make the box's account at the broker."""
    if not entered.broker_password.exists():
        made = await hub.post("/gateways", {"gateway": GATEWAY}, once="demo-gateway")
        keep_secret(entered.broker_password, made["password"])


async def enter_channel(hub: HubClient, entered: Entered, url: str) -> None:
    """Make the inspector's webhook, or turn the one of an earlier run to where the receiver listens now."""
    known = [each for each in (await hub.get("/channels"))["items"] if each["name"] == "demo-inspector"]
    if known and entered.webhook_secret.exists():
        await hub.patch(f"/channels/{known[0]['id']}", {"url": url})
        return
    made = await hub.post("/channels", {"name": "demo-inspector", "kind": "webhook", "url": url}, once="demo-channel")
    keep_secret(entered.webhook_secret, made["secret"])


async def link_devices(hub: HubClient) -> None:
    """Say whose each device is, once the box has spoken of all of them: two kitchens, and the officer on patrol."""
    subjects = [await _first(hub, "/subjects", q=each["name"]) for each in district.subjects()[: len(CAMERAS)]]
    officers = (await hub.get("/officers"))["items"]
    patroller = next(each for each in officers if each["name"] == district.PATROLLER)
    links: dict[str, dict[str, Any]] = {
        camera: {"subject": subject["id"]} for camera, subject in zip(CAMERAS, subjects, strict=True)
    }
    links[GPS] = {"officer": patroller["id"], "expected_interval_s": 20}
    async with asyncio.timeout(DEVICES_S):
        while True:
            found = {each["device"]: each for each in (await hub.get("/devices"))["items"]}
            if links.keys() <= found.keys():
                break
            await asyncio.sleep(0.2)
    for device, link in links.items():
        if any(found[device][name] != value for name, value in link.items()):
            await hub.patch(f"/devices/{GATEWAY}/{device}", link)


async def _first(hub: HubClient, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON
    return (await hub.get(path, **query))["items"][0]


def keep_secret(file: Path, secret: str) -> None:
    """Write a file that only its owner reads."""
    file.touch(mode=0o600)
    file.write_text(secret, encoding="utf-8")
