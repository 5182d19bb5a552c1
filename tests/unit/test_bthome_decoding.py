"""BTHome advertisements to values: in clear, encrypted, and those that only look like it."""

from pathlib import Path

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from habluetooth import BluetoothServiceInfoBleak
from hypothesis import given
from hypothesis import strategies as st

from drivers.thermometer.options import Bthome
from drivers.thermometer.sources.bthome import Decoder
from protocol.errors import ConfigurationError
from tests.simulators import bthome_sensor as sensor

ADDRESS = "A4:C1:38:00:00:01"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
V1 = "0000181c-0000-1000-8000-00805f9b34fb"


def advertised(data: bytes, *, at: float = 0.0, service: str = sensor.SERVICE) -> BluetoothServiceInfoBleak:
    services = {service: data}
    device = BLEDevice(ADDRESS, "fridge", None)
    said = AdvertisementData("fridge", {}, services, [], None, -60, ())
    cannot_connect = False
    return BluetoothServiceInfoBleak(
        "fridge", ADDRESS, -60, {}, services, [], "test", device, said, cannot_connect, at, None, None
    )


def test_a_fridge_in_clear() -> None:
    data = sensor.clear(
        sensor.packet(7),
        sensor.battery(88),
        sensor.temperature(-18.5),
        sensor.humidity(43.2),
        sensor.opened(is_open=True),
    )
    assert Decoder(None).decode(advertised(data)) == {
        "battery_percent": 88.0,
        "temperature_c": -18.5,
        "humidity_percent": 43.2,
        "door_open": True,
    }


def test_the_formats_own_example() -> None:
    assert Decoder(None).decode(advertised(bytes.fromhex("4002ca0903bf13"))) == {
        "temperature_c": 25.06,
        "humidity_percent": 50.55,
    }


def test_two_of_a_kind_are_two_values_and_what_we_do_not_know_is_kept() -> None:
    data = sensor.clear(sensor.temperature(4.0), sensor.temperature(5.0), bytes.fromhex("05138a14"))
    assert Decoder(None).decode(advertised(data)) == {
        "temperature_c_1": 4.0,
        "temperature_c_2": 5.0,
        "illuminance": 13460.67,
    }


def test_one_measurement_advertised_again_is_one() -> None:
    decoder, data = Decoder(None), sensor.clear(sensor.packet(7), sensor.temperature(4))
    assert decoder.decode(advertised(data))
    assert decoder.decode(advertised(data, at=1.0)) == {}
    assert decoder.reason == ""
    assert decoder.decode(advertised(sensor.clear(sensor.packet(8), sensor.temperature(4)), at=2.0))


def test_without_packet_numbers_a_constant_temperature_is_heard_each_time() -> None:
    decoder, data = Decoder(None), sensor.clear(sensor.temperature(4))
    assert [decoder.decode(advertised(data, at=second)) for second in range(3)] == [{"temperature_c": 4.0}] * 3


def test_version_1_is_still_read() -> None:
    assert Decoder(None).decode(advertised(bytes.fromhex("2302ca0903 03bf13".replace(" ", "")), service=V1)) == {
        "temperature_c": 25.06,
        "humidity_percent": 50.55,
    }


def test_an_encrypted_sensor_needs_its_key_and_a_replay_is_refused() -> None:
    new, old = (sensor.encrypted(KEY, ADDRESS, counter, sensor.temperature(3.5)) for counter in (1000, 900))
    decoder = Decoder(KEY)
    assert decoder.decode(advertised(new)) == {"temperature_c": 3.5}
    assert decoder.decode(advertised(old)) == {}
    for wrong, reason in ((None, "no bind key here"), (bytes(16), "bind key is another")):
        stranger = Decoder(wrong)
        assert stranger.decode(advertised(new)) == {}
        assert reason in stranger.reason
    assert decoder.decode(advertised(sensor.clear(sensor.temperature(99)))) == {}
    assert "without encryption" in decoder.reason


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans()), max_size=5))
def test_nothing_on_the_air_hurts(said: list[tuple[bytes, bool]]) -> None:
    for key in (None, KEY):
        decoder = Decoder(key)
        for data, is_old in said:
            values = decoder.decode(advertised(data, service=V1 if is_old else sensor.SERVICE))
            assert all(isinstance(value, float | bool | str) for value in values.values())


def test_a_bind_key_comes_from_its_file_and_shows_itself_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "key"
    options = Bthome(address=ADDRESS, bind_key_file=str(file))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        options.bind_key()
    file.write_text("231d39c1", encoding="ascii")
    with pytest.raises(ConfigurationError, match="no bind key of 32") as refused:
        options.bind_key()
    assert "231d39c1" not in str(refused.value)
    file.write_text(KEY.hex() + "\n", encoding="ascii")
    assert options.bind_key() == KEY
    assert KEY.hex() not in repr(options)
    assert Bthome(address=ADDRESS).bind_key() is None
