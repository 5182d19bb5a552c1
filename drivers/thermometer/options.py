"""What a site may set for a thermometer."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from drivers.contract import Options
from protocol.errors import ConfigurationError

Seconds = Annotated[float, Meta(gt=0, le=604_800)]
_BIND_KEY = re.compile(r"[0-9A-Fa-f]{32}")


class Bthome(Options, frozen=True, kw_only=True, tag="bthome", tag_field="kind"):
    """A Bluetooth sensor that advertises BTHome (version 1 or 2), known by its address.

    `adapter` chooses a Bluetooth adapter ("hci0"). An encrypted sensor needs its bind key, 32 hexadecimal digits, in
    the file or the environment variable that is named; then it is believed only encrypted.
    """

    address: Annotated[str, Meta(pattern="^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$")]
    bind_key_file: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    bind_key_env: Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    adapter: Annotated[str, Meta(pattern="^hci[0-9]{1,3}$")] | None = None

    def __post_init__(self) -> None:
        """Refuse two places for one key."""
        if self.bind_key_file and self.bind_key_env:
            raise ValueError("give `bind_key_file` or `bind_key_env`, not both")

    def bind_key(self) -> bytes | None:
        """Fetch the key; raise ConfigurationError when the place named for it has none."""
        if self.bind_key_env:
            place, text = self.bind_key_env, os.environ.get(self.bind_key_env, "")
        elif self.bind_key_file:
            place = self.bind_key_file
            try:
                text = Path(place).read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(f"`bind_key_file` {place} cannot be read") from error
        else:
            return None
        if not _BIND_KEY.fullmatch(text.strip()):
            raise ConfigurationError(f"{place} holds no bind key of 32 hexadecimal digits")
        return bytes.fromhex(text.strip())


class Register(Options, frozen=True, kw_only=True):
    """One value of a Modbus device.

    `address` begins at 0, as on the wire. Input and holding registers are numbers of the given `type`, high byte first,
    `word_order` as the device has it, and mean `raw * scale + offset`; coils and discrete inputs are yes or no.
    """

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
    address: Annotated[int, Meta(ge=0, le=65_535)]
    table: Literal["input", "holding", "coil", "discrete"] = "input"
    type: Literal["int16", "uint16", "int32", "uint32", "float32"] = "int16"
    word_order: Literal["big", "little"] = "big"
    scale: float = 1.0
    offset: float = 0.0


Registers = Annotated[tuple[Register, ...], Meta(min_length=1, max_length=64)]
Unit = Annotated[int, Meta(ge=0, le=247)]


class ModbusTcp(Options, frozen=True, kw_only=True, tag="modbus-tcp", tag_field="kind"):
    """A device that speaks Modbus over TCP, or stands behind a gateway that does; asked every `every_s`."""

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65_535)] = 502
    unit: Unit = 1
    registers: Registers
    every_s: Seconds = 60.0

    def __post_init__(self) -> None:
        """Refuse two values of one name."""
        _check_names(self.registers)


class ModbusRtu(Options, frozen=True, kw_only=True, tag="modbus-rtu", tag_field="kind"):
    """A device on a serial bus (RS-485), asked every `every_s`. Devices on one bus share it, with the same settings."""

    port: Annotated[str, Meta(min_length=1, max_length=4096)]
    baud: Annotated[int, Meta(ge=300, le=4_000_000)] = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    unit: Unit = 1
    registers: Registers
    every_s: Seconds = 60.0

    def __post_init__(self) -> None:
        """Refuse two values of one name."""
        _check_names(self.registers)


class Limits(Options, frozen=True, kw_only=True):
    """What the label of the cabinet says: `value` between `low` and `high`. There is no default, on purpose.

    Out of them without a break for `minutes` begins an event `thermometer.out_of_range`, on the box itself; it ends
    when the value is back by `hysteresis`.
    """

    low: float | None = None
    high: float | None = None
    hysteresis: Annotated[float, Meta(ge=0)] = 0.5
    minutes: Annotated[float, Meta(ge=0, le=10_080)] = 15.0
    severity: Literal["minor", "major", "critical"] = "major"
    value: Annotated[str, Meta(min_length=1, max_length=64)] = "temperature_c"

    def __post_init__(self) -> None:
        """Refuse limits between which the value could never return."""
        if self.low is None and self.high is None:
            raise ValueError("limits need `low`, `high` or both")
        if self.low is not None and self.high is not None and self.low + self.hysteresis > self.high - self.hysteresis:
            raise ValueError("`low` and `high` leave no room for the hysteresis on both sides")


class ThermometerOptions(Options, frozen=True, kw_only=True):
    """Where the temperatures come from, and when to worry.

    Measurements that change only numbers are reported at most every `report_every_s`; a door, an event and the first
    one at once. Without any measurement for `silent_after_s` the thermometer counts as lost.
    """

    source: Bthome | ModbusTcp | ModbusRtu
    limits: Limits | None = None
    report_every_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    silent_after_s: Seconds = 900.0

    def __post_init__(self) -> None:
        """Refuse to ask so seldom that it always seems lost, and limits for what no register is."""
        if isinstance(self.source, Bthome):
            return
        if self.source.every_s >= self.silent_after_s:
            raise ValueError("`silent_after_s` must be longer than `every_s`")
        if self.limits and self.limits.value not in {register.name for register in self.source.registers}:
            raise ValueError(f"the limits are for {self.limits.value}, which is no register")


def _check_names(registers: tuple[Register, ...]) -> None:
    names = [register.name for register in registers]
    if len(set(names)) < len(names):
        raise ValueError("two registers have the same name")
