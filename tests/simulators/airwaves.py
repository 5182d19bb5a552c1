"""Bluetooth advertisements without a radio: `org.bluez` on a bus of its own, with one adapter and what it hears.

Only what scanning needs, with BlueZ's own habits: a program has one discovery, and a second is refused; without
discovery nothing is heard; the same service data again is told again only with the filter `DuplicateData`.
"""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

ADAPTER: Final = "/org/bluez/hci0"
_ADAPTER1, _DEVICE1 = "org.bluez.Adapter1", "org.bluez.Device1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
_CONFIGURATION: Final = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>"""


class Airwaves:
    """The adapter and what is in the air. `started` and `refused` count discoveries."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._scanner = ""
        self._wants_duplicates = True
        self._changed = asyncio.Condition()
        self.started = self.refused = 0
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {
            ADAPTER: {
                _ADAPTER1: {
                    "Address": Variant("s", "00:00:00:00:00:01"),
                    "Name": Variant("s", "air"),
                    "Alias": Variant("s", "air"),
                    "Powered": Variant("b", True),  # noqa: FBT003 - D-Bus'
                    "Discovering": Variant("b", False),  # noqa: FBT003
                    "UUIDs": Variant("as", []),
                    "Roles": Variant("as", ["central"]),
                }
            }
        }

    async def listened_to(self) -> None:
        """Wait until somebody scans."""
        async with self._changed, asyncio.timeout(30):
            await self._changed.wait_for(lambda: self._scanner)

    async def left_alone(self) -> None:
        """Wait until nobody scans."""
        async with self._changed, asyncio.timeout(30):
            await self._changed.wait_for(lambda: not self._scanner)

    def advertise(self, address: str, service: str, data: bytes, *, rssi: int = -60) -> None:
        """Put an advertisement with service data into the air."""
        if not self._scanner:
            return
        path = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        said = {"RSSI": Variant("n", rssi), "ServiceData": Variant("a{sv}", {service: Variant("ay", data)})}
        if path not in self._objects:
            self._objects[path] = {_DEVICE1: {**_device(address), **said}}
            self._signal("/", _OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, self._objects[path]])
        elif self._wants_duplicates or self._objects[path][_DEVICE1]["ServiceData"] != said["ServiceData"]:
            self._objects[path][_DEVICE1] |= said
            self._signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [_DEVICE1, said, []])

    def answer(self, call: Message) -> Message | bool | None:
        """Answer a call, as the bus library asks its handlers to."""
        if call.message_type is not MessageType.METHOD_CALL:
            return None
        match call.member:
            case "GetManagedObjects":
                return Message.new_method_return(call, "a{oa{sa{sv}}}", [self._objects])
            case "SetDiscoveryFilter":
                wish = call.body[0].get("DuplicateData")
                self._wants_duplicates = bool(wish and wish.value)
            case "StartDiscovery" if self._scanner:
                self.refused += 1
                return Message.new_error(call, "org.bluez.Error.InProgress", "Operation already in progress")
            case "StartDiscovery":
                self.started += 1
                self._scans(call.sender or "somebody")
            case "StopDiscovery":
                self._scans("")
            case _:
                return None
        return Message.new_method_return(call)

    def _scans(self, scanner: str) -> None:
        self._scanner = scanner
        discovering = {"Discovering": Variant("b", bool(scanner))}
        self._objects[ADAPTER][_ADAPTER1] |= discovering
        self._signal(ADAPTER, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [_ADAPTER1, discovering, []])
        telling = asyncio.get_running_loop().create_task(self._tell())
        telling.add_done_callback(lambda _: None)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        self._bus.send(
            Message(
                message_type=MessageType.SIGNAL,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
            )
        )


def _device(address: str) -> dict[str, Variant]:
    no = Variant("b", False)  # noqa: FBT003 - D-Bus'
    return {
        "Address": Variant("s", address),
        "AddressType": Variant("s", "random"),
        "Name": Variant("s", "sensor"),
        "Alias": Variant("s", "sensor"),
        "Adapter": Variant("o", ADAPTER),
        "UUIDs": Variant("as", []),
        **dict.fromkeys(("Paired", "Trusted", "Blocked", "Connected", "ServicesResolved", "LegacyPairing"), no),
    }


@asynccontextmanager
async def private_bus(folder: Path) -> AsyncIterator[str]:
    """A D-Bus of our own; its address is given."""
    configuration = folder / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=folder / "bus"), encoding="utf-8")
    daemon = await asyncio.create_subprocess_exec(
        "dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile", "--print-address", stdout=PIPE
    )
    assert daemon.stdout is not None
    try:
        async with asyncio.timeout(30):
            address = await daemon.stdout.readline()
        yield address.decode().strip()
    finally:
        daemon.terminate()
        await daemon.wait()


@asynccontextmanager
async def in_the_air(folder: Path) -> AsyncIterator[tuple[str, Airwaves]]:
    """The address of a bus with `org.bluez` on it, and its airwaves."""
    async with private_bus(folder) as address:
        bus = await MessageBus(bus_address=address).connect()
        airwaves = Airwaves(bus)
        bus.add_message_handler(airwaves.answer)
        await bus.request_name("org.bluez")
        try:
            yield address, airwaves
        finally:
            bus.disconnect()
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
