"""Bluetooth without a radio: a private D-Bus with an `org.bluez` on it, whose air is Bumble's link in this process.

    async with bluetooth(tmp_path) as air, on_air(printer, air):
        ...  # air.address goes into DBUS_SYSTEM_BUS_ADDRESS of the program under test

Programs use it through their own, unmodified `bleak`. It does what the real daemon was seen to do where that is
a trap: a program has one discovery, and is refused a second; a write without response returns when it is queued,
and one that is larger than the MTU fails; with response it is split and arrives whole; services of the device
itself are hidden; after the link is lost every call fails with "Not connected"; a device is forgotten
when it was discovered and never connected.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from bumble.att import ATT_Error
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Device, DeviceConfiguration, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.simulators.listened import PATIENCE_S

_ADAPTER: Final = "/org/bluez/hci0"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
_ADAPTER1: Final = "org.bluez.Adapter1"
_DEVICE1: Final = "org.bluez.Device1"
_SERVICE1: Final = "org.bluez.GattService1"
_CHARACTERISTIC1: Final = "org.bluez.GattCharacteristic1"
_FLAGS: Final = ((2, "read"), (4, "write-without-response"), (8, "write"), (16, "notify"), (32, "indicate"))
_OWN_SERVICES: Final = {"00001800-0000-1000-8000-00805f9b34fb", "00001801-0000-1000-8000-00805f9b34fb"}
_QUEUE_S: Final = 10.0
_CONFIGURATION: Final = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>"""

Interfaces = dict[str, dict[str, Variant]]


class RefusedError(Exception):
    """What the daemon answers instead."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = f"org.bluez.Error.{name}"


class Air:
    """What is there to be heard, and the bus by which a program hears it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.link = LocalLink()  # type: ignore[no-untyped-call]
        self.daemon: Daemon | None = None

    def radio(self, name: str) -> Controller:
        """A radio chip for one more device."""
        return Controller(name, link=self.link)


class Daemon:
    """`org.bluez` with one adapter."""

    def __init__(self, air: Air, bus: MessageBus) -> None:
        chip = air.radio("hci0")
        configuration = DeviceConfiguration(name="box", address=Address("E0:E1:E2:E3:E4:E5"))
        self._radio = Device.from_config_with_hci(configuration, chip, AsyncPipeSink(chip))
        self._bus = bus
        self._objects: dict[str, Interfaces] = {
            "/org/bluez": {},
            _ADAPTER: {
                _ADAPTER1: {
                    "Address": Variant("s", "E0:E1:E2:E3:E4:E5"),
                    "Name": Variant("s", "box"),
                    "Alias": Variant("s", "box"),
                    "Powered": Variant("b", value=True),
                    "Discovering": Variant("b", value=False),
                    "UUIDs": Variant("as", []),
                    "Roles": Variant("as", ["central"]),
                }
            },
        }
        self._addresses: dict[str, Address] = {}
        self._peers: dict[str, Peer] = {}
        self._characteristics: dict[str, tuple[str, CharacteristicProxy[bytes]]] = {}
        self._writes: dict[str, asyncio.Queue[tuple[CharacteristicProxy[bytes], bytes]]] = {}
        self._over: dict[str, asyncio.Event] = {}
        self._discovering: set[str] = set()
        # A controller refuses to connect while it is connecting (Core 5.4, 4.E.7.8.12); BlueZ has the second one wait.
        self._connecting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._radio.power_on()
        self._radio.on("advertisement", self._heard)
        self._bus.add_message_handler(self._take)
        await self._bus.request_name("org.bluez")

    async def stop(self) -> None:
        self._bus.remove_message_handler(self._take)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._radio.power_off()

    # What goes over the air

    def _heard(self, advertisement: Advertisement) -> None:
        if not self._discovering:
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        path = f"{_ADAPTER}/dev_{address.replace(':', '_')}"
        self._addresses[path] = advertisement.address
        said = advertisement.data
        name = said.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME)
        seen = {"RSSI": Variant("n", max(-127, min(20, advertisement.rssi)))}
        if path in self._objects:
            self._set(path, _DEVICE1, **seen)
            return
        services: list[UUID] = []
        for kind in (
            AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
            AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
            AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
        ):
            services += said.get(kind) or []
        self._add(
            path,
            {
                _DEVICE1: {
                    "Address": Variant("s", address),
                    "AddressType": Variant("s", "random"),
                    **({"Name": Variant("s", name)} if isinstance(name, str) else {}),
                    "Alias": Variant("s", name if isinstance(name, str) else address.replace(":", "-")),
                    "Adapter": Variant("o", _ADAPTER),
                    "UUIDs": Variant("as", [_long(service) for service in services]),
                    **{
                        flag: Variant("b", value=False)
                        for flag in ("Paired", "Trusted", "Blocked", "Connected", "ServicesResolved", "LegacyPairing")
                    },
                    **seen,
                }
            },
        )

    async def _connect(self, path: str) -> None:
        async with self._connecting:
            if path in self._peers:
                return
            connection = await self._radio.connect(self._addresses[path], timeout=_QUEUE_S)
            peer = self._peers[path] = Peer(connection)
        connection.on("disconnection", lambda *_: self._lost(path))
        self._set(path, _DEVICE1, Connected=Variant("b", value=True))
        await peer.request_mtu(517)
        for service in await peer.discover_services():
            if _long(service.uuid) in _OWN_SERVICES:
                continue
            await service.discover_characteristics()
            place = f"{path}/service{service.handle:04x}"
            self._add(
                place,
                {
                    _SERVICE1: {
                        "UUID": Variant("s", _long(service.uuid)),
                        "Primary": Variant("b", value=True),
                        "Device": Variant("o", path),
                        "Includes": Variant("ao", []),
                    }
                },
            )
            for characteristic in service.characteristics:
                within = f"{place}/char{characteristic.handle:04x}"
                self._characteristics[within] = (path, characteristic)
                flags = [name for bit, name in _FLAGS if characteristic.properties & bit]
                self._add(
                    within,
                    {
                        _CHARACTERISTIC1: {
                            "UUID": Variant("s", _long(characteristic.uuid)),
                            "Service": Variant("o", place),
                            "Value": Variant("ay", b""),
                            "Notifying": Variant("b", value=False),
                            "Flags": Variant("as", flags),
                            "MTU": Variant("q", connection.att_mtu),
                        }
                    },
                )
        queue: asyncio.Queue[tuple[CharacteristicProxy[bytes], bytes]] = asyncio.Queue()
        self._writes[path], self._over[path] = queue, asyncio.Event()
        self._spawn(self._carry(path, queue))
        self._set(path, _DEVICE1, ServicesResolved=Variant("b", value=True))

    async def _carry(self, path: str, queue: asyncio.Queue[tuple[CharacteristicProxy[bytes], bytes]]) -> None:
        """Bring queued writes over the air, in their order, after whoever wrote them was told that it is done."""
        while path in self._peers:
            characteristic, value = await queue.get()
            try:
                await characteristic.write_value(value)
            except (BaseBumbleError, TimeoutError):
                pass  # nobody is told: it was queued, and that was all that was promised
            finally:
                queue.task_done()

    def _lost(self, path: str) -> None:
        if self._peers.pop(path, None) is None:
            return
        if over := self._over.pop(path, None):
            over.set()
        if queue := self._writes.pop(path, None):
            while not queue.empty():  # whoever waits for them finds that there is no connection any more
                queue.get_nowait()
                queue.task_done()
        for below in sorted((place for place in self._objects if place.startswith(f"{path}/")), reverse=True):
            self._characteristics.pop(below, None)
            self._remove(below)
        self._set(path, _DEVICE1, Connected=Variant("b", value=False), ServicesResolved=Variant("b", value=False))

    # What goes over the bus

    def _take(self, message: Message) -> bool | None:
        if message.message_type is not MessageType.METHOD_CALL or not (message.path or "").startswith(("/org", "/")):
            return None
        if message.interface in {"org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable"}:
            return None
        self._spawn(self._answer(message))
        return True

    async def _answer(self, message: Message) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                signature, body = await self._obey(message)
        except RefusedError as error:
            reply = Message.new_error(message, error.name, str(error))
        except ATT_Error as error:
            text = f"Operation failed with ATT error: {error.error_code:#04x}"
            reply = Message.new_error(message, "org.bluez.Error.Failed", text)
        except (BaseBumbleError, TimeoutError, ConnectionError) as error:
            reply = Message.new_error(message, "org.bluez.Error.Failed", f"Not connected ({error})")
        except KeyError as error:
            reply = Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", f"no {error}")
        else:
            reply = Message.new_method_return(message, signature, body)
        if self._bus.connected:
            await self._bus.send(reply)

    async def _obey(self, message: Message) -> tuple[str, list[Any]]:
        path, member, body = str(message.path), str(message.member), message.body
        match message.interface:
            case "org.freedesktop.DBus.ObjectManager":
                return "a{oa{sa{sv}}}", [{place: held for place, held in self._objects.items() if held}]
            case "org.freedesktop.DBus.Properties":
                return self._of_properties(path, member, body)
            case "org.bluez.Adapter1":
                await self._of_adapter(member, body, str(message.sender))
            case "org.bluez.Device1":
                await self._of_device(path, member)
            case "org.bluez.GattCharacteristic1":
                return await self._of_characteristic(path, member, body)
            case _:
                raise RefusedError("NotSupported", f"{message.interface}.{member}")
        return "", []

    def _of_properties(self, path: str, member: str, body: list[Any]) -> tuple[str, list[Any]]:
        match member:
            case "GetAll":
                return "a{sv}", [self._objects[path][body[0]]]
            case "Get":
                return "v", [self._objects[path][body[0]][body[1]]]
        self._set(path, body[0], **{body[1]: body[2]})
        return "", []

    async def _of_adapter(self, member: str, body: list[Any], sender: str) -> None:
        match member:
            case "StartDiscovery":
                await self._discover(sender)
            case "StopDiscovery":
                await self._stop_discovery(sender)
            case "RemoveDevice":
                self._lost(body[0])
                self._remove(body[0])
            case "SetDiscoveryFilter":
                pass
            case _:
                raise RefusedError("NotSupported", member)

    async def _of_device(self, path: str, member: str) -> None:
        if path not in self._objects:
            raise KeyError(path)
        match member:
            case "Connect":
                await self._connect(path)
            case "Disconnect" if peer := self._peers.get(path):
                await peer.connection.disconnect()

    async def _discover(self, sender: str) -> None:
        if sender in self._discovering:
            raise RefusedError("InProgress", "Operation already in progress")
        first = not self._discovering
        self._discovering.add(sender)
        if first:
            await self._radio.start_scanning(filter_duplicates=False)
            self._set(_ADAPTER, _ADAPTER1, Discovering=Variant("b", value=True))

    async def _stop_discovery(self, sender: str) -> None:
        if sender not in self._discovering:
            raise RefusedError("Failed", "No discovery started")
        self._discovering.discard(sender)
        if not self._discovering:
            await self._radio.stop_scanning()
            self._set(_ADAPTER, _ADAPTER1, Discovering=Variant("b", value=False))

    async def _of_characteristic(self, path: str, member: str, body: list[Any]) -> tuple[str, list[Any]]:
        device, characteristic = self._characteristics[path]
        if device not in self._peers:
            raise RefusedError("NotConnected", "Not Connected")
        match member:
            case "WriteValue":
                await self._write(device, characteristic, bytes(body[0]), body[1])
            case "ReadValue":
                return "ay", [bytes(await characteristic.read_value())]
            case "StartNotify":
                await characteristic.subscribe(
                    lambda value: self._set(path, _CHARACTERISTIC1, Value=Variant("ay", bytes(value)))
                )
                self._set(path, _CHARACTERISTIC1, Notifying=Variant("b", value=True))
            case "StopNotify":
                await characteristic.unsubscribe()
                self._set(path, _CHARACTERISTIC1, Notifying=Variant("b", value=False))
            case _:
                raise RefusedError("NotSupported", member)
        return "", []

    async def _write(
        self, device: str, characteristic: CharacteristicProxy[bytes], value: bytes, options: dict[str, Variant]
    ) -> None:
        peer, queue = self._peers[device], self._writes[device]
        how = options["type"].value if "type" in options else "request"
        if how == "command":
            if len(value) > peer.connection.att_mtu - 3:
                raise RefusedError("Failed", "Failed to initiate write")
            queue.put_nowait((characteristic, value))
            return
        writing = asyncio.ensure_future(self._write_through(queue, characteristic, value, peer.connection.att_mtu - 5))
        over = asyncio.ensure_future(self._over[device].wait())
        await asyncio.wait((writing, over), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not writing.done():
            writing.cancel()
            raise RefusedError("Failed", "Not connected")
        await writing

    @staticmethod
    async def _write_through(
        queue: asyncio.Queue[tuple[CharacteristicProxy[bytes], bytes]],
        characteristic: CharacteristicProxy[bytes],
        value: bytes,
        most: int,
    ) -> None:
        await queue.join()
        for at in range(0, len(value), most):
            await characteristic.write_value(value[at : at + most], with_response=True)

    # Objects and their signals

    def _add(self, path: str, interfaces: Interfaces) -> None:
        self._objects[path] = interfaces
        self._signal("/", _OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def _remove(self, path: str) -> None:
        self._signal("/", _OBJECTS, "InterfacesRemoved", "oas", [path, list(self._objects.pop(path))])

    def _set(self, path: str, interface: str, **values: Variant) -> None:
        self._objects[path][interface].update(values)
        self._signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, []])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        signal = Message(
            message_type=MessageType.SIGNAL,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body,
        )
        if self._bus.connected:
            self._bus.send(signal)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def bluetooth(folder: Path) -> AsyncIterator[Air]:
    """A bus of its own with Bluetooth on it; gone on leaving."""
    configuration = folder / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=folder / "bus"))
    process = await asyncio.create_subprocess_exec(
        "dbus-daemon",
        f"--config-file={configuration}",
        "--nofork",
        "--nopidfile",
        "--print-address",
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            address = (await process.stdout.readline()).decode().strip()
        air = Air(address)
        bus = await MessageBus(bus_address=address).connect()
        air.daemon = Daemon(air, bus)
        await air.daemon.start()
        try:
            yield air
        finally:
            await air.daemon.stop()
            bus.disconnect()
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    finally:
        process.terminate()
        await process.wait()


def _long(uuid: UUID) -> str:
    digits = uuid.to_hex_str("-").lower()
    return f"0000{digits}-0000-1000-8000-00805f9b34fb" if len(digits) == 4 else digits
