"""A Bluetooth Low Energy front for an emulated printer, and devices that only advertise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.transport.common import AsyncPipeSink

from tests.simulators.bluez import Air
from tests.simulators.printer import Printer, running

SERVICE = "000018f0-0000-1000-8000-00805f9b34fb"
WRITE = "00002af1-0000-1000-8000-00805f9b34fb"
NOTIFY = "00002af0-0000-1000-8000-00805f9b34fb"
ADDRESS = "F0:F1:F2:F3:F4:F5"


@asynccontextmanager
async def advertised(
    air: Air,
    name: str,
    address: str,
    *,
    service: UUID | None = None,
    services: tuple[Service, ...] = (),
    mtu: int = 247,
) -> AsyncIterator[Device]:
    """Put up a device that advertises its name and a service."""
    chip = air.radio(name)
    configuration = DeviceConfiguration(
        name=name, address=Address(address), advertising_interval_min=100, advertising_interval_max=100
    )
    device = Device.from_config_with_hci(configuration, chip, AsyncPipeSink(chip))
    device.gatt_server.max_mtu = mtu
    for each in services:
        device.add_service(each)
    said = [
        (AdvertisingData.Type.FLAGS, bytes([6])),
        (AdvertisingData.Type.COMPLETE_LOCAL_NAME, name.encode()),
    ]
    if service is not None:
        said.append((AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes(service)))
    device.advertising_data = bytes(AdvertisingData(said))
    await device.power_on()
    await device.start_advertising(auto_restart=True)
    try:
        yield device
    finally:
        await device.power_off()


@asynccontextmanager
async def on_air(
    printer: Printer, air: Air, *, name: str = "MTP-II", address: str = ADDRESS, mtu: int = 247
) -> AsyncIterator[Device]:
    """Put up a printer; it acknowledges each write at once, whether it has room or not."""
    link: list[Connection] = []
    gone: list[Connection] = []

    def write(connection: Connection, value: bytes) -> None:
        if connection in gone:
            return  # it was on its way when the line was cut
        if connection not in link:
            link.append(connection)
            printer.plugged(speak, hang_up)
        printer.take(bytes(value))

    def speak(answer: bytes) -> None:
        talking.create_task(device.notify_subscribers(notify, answer))

    def hang_up() -> None:
        gone.extend(link)
        for connection in link:
            talking.create_task(connection.disconnect())
        link.clear()

    def lost(*_: object) -> None:
        if link:
            gone.extend(link)
            link.clear()
            printer.unplugged()

    properties = Characteristic.Properties
    notify: Characteristic[bytes] = Characteristic(NOTIFY, properties.NOTIFY, Characteristic.READABLE, b"")
    target: Characteristic[bytes] = Characteristic(
        WRITE,
        properties.WRITE | properties.WRITE_WITHOUT_RESPONSE,
        Characteristic.WRITEABLE,
        CharacteristicValue(write=write),
    )
    service = Service(SERVICE, [target, notify])
    async with (
        running(printer),
        asyncio.TaskGroup() as talking,
        advertised(air, name, address, service=UUID.from_16_bits(0x18F0), services=(service,), mtu=mtu) as device,
    ):
        device.on("connection", lambda connection: connection.on("disconnection", lost))
        yield device
