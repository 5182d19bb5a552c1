"""The load inside ThingsBoard IoT Gateway: a connector of its own kind that speaks at a given rate and keeps a ledger.

`peer_boxes` copies this file among the gateway's extensions; it runs in that program's environment and imports nothing
of ours. The ledger is that of `tests.simulators.load_driver`: `said` before a message is handed over, `kept` once
`send_to_storage` has returned success, which is the only word that the gateway gives to whoever brings data.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

from thingsboard_gateway.connectors.connector import Connector  # type: ignore[import-not-found]
from thingsboard_gateway.gateway.constant_enums import Status  # type: ignore[import-not-found]
from thingsboard_gateway.gateway.entities.converted_data import ConvertedData  # type: ignore[import-not-found]
from thingsboard_gateway.gateway.entities.telemetry_entry import TelemetryEntry  # type: ignore[import-not-found]

_KEYS = 2_000


class LedgerConnector(Connector):  # type: ignore[misc]
    """Its configuration: `rate` per second, `burst`, `total` (0: no end), `device`, and `ledger`, a folder."""

    def __init__(self, gateway: Any, config: dict[str, Any], connector_type: str) -> None:
        self._gateway = gateway
        self._config = config
        self._type = connector_type
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self.name = config["name"]

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()

    def get_id(self) -> Any:
        return self._config["id"]

    def get_name(self) -> Any:
        return self.name

    def get_type(self) -> str:
        return self._type

    def get_config(self) -> dict[str, Any]:
        return self._config

    def is_connected(self) -> bool:
        return True

    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def on_attributes_update(self, content: object) -> None:
        """Take no attributes."""

    def server_side_rpc_handler(self, content: object) -> None:
        """Obey nothing."""

    def _speak(self) -> None:
        folder, total, burst = Path(self._config["ledger"]), self._config["total"], self._config["burst"]
        number = _last_number(folder / "said") + 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        said, kept = os.open(folder / "said", flags), os.open(folder / "kept", flags)
        begun, spoken = time.monotonic(), 0
        while not self._stopped.is_set() and (not total or number <= total):
            until = min(number + burst, total + 1 if total else number + burst)
            _write(said, range(number, until))
            _write(kept, [each for each in range(number, until) if self._hand_over(each)])
            spoken += until - number
            number = until
            self._stopped.wait(max(0.0, begun + spoken / self._config["rate"] - time.monotonic()))

    def _hand_over(self, number: int) -> bool:
        message = ConvertedData(self._config["device"])
        # Two values of one key in one millisecond are one value to it, by design: each message has a key of its own.
        message.add_to_telemetry(TelemetryEntry({f"n{number % _KEYS}": number}, int(time.time() * 1000)))
        return bool(self._gateway.send_to_storage(self.name, self.get_id(), message) == Status.SUCCESS)


def _write(file: int, numbers: range | list[int]) -> None:
    os.write(file, "".join(f"{number}\n" for number in numbers).encode())


def _last_number(ledger: Path) -> int:
    lines = ledger.read_bytes().split() if ledger.exists() else []
    return int(lines[-1]) if lines else 0
