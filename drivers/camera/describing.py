"""A camera that says what it is on command, and the certificate by which it is known when it is asked over HTTPS."""

from pathlib import Path
from typing import Any, Final

import msgspec

from drivers.camera import onvif
from drivers.camera.onvif import OtherCertificateError, Question
from drivers.camera.options import CameraOptions
from protocol import logs
from protocol.errors import ConfigurationError, DeviceRefusedError
from protocol.lasting import replace_file

PINNED: Final = "pinned"
FIRST_USE: Final = "first_use"

log = logs.get(__name__)


class _Trusted(msgspec.Struct, frozen=True):
    """The certificate that a service showed when it was asked for the first time."""

    service: str
    certificate: str


class Describer:
    """Asks one camera by ONVIF what it is.

    Over HTTPS it is known by the certificate that the options pin, or else by the one that it showed when it was first
    asked, which is kept in the device's folder; another is refused until somebody pins it. Raises ConfigurationError
    when what was kept cannot be read: to trust anew would let in whoever is there now.
    """

    def __init__(self, options: CameraOptions, password: str | None, folder: Path) -> None:
        self._options, self._password = options, password
        self._file = folder / "certificate.json"
        self._trusted = self._read()
        self._shows_another = False

    @property
    def trouble(self) -> str:
        """What is wrong with whoever answers at the camera's address; empty if nothing is known to be."""
        return "it shows another certificate than before" if self._shows_another else ""

    @property
    def note(self) -> str:
        """On what the camera is believed, where nobody has pinned it; empty otherwise."""
        return f"certificate trusted on first use: {self._trusted.certificate}" if self._trusted else ""

    async def describe(self) -> dict[str, Any]:
        """Return what the camera says, with `certificate_trust` (`pinned`, `first_use`) where it shows a certificate.

        Raises DeviceRefusedError without a `service` to ask, and otherwise as `onvif.ask`.
        """
        service = self._options.service
        if service is None:
            raise DeviceRefusedError("the configuration names no `service` at which this camera could be asked")
        expected = self._options.certificate or (self._trusted.certificate if self._trusted else None)
        question = Question(service, self._options.username, self._password, certificate=expected)
        try:
            said = await onvif.ask(question)
        except OtherCertificateError:
            self._shows_another = True
            raise
        self._shows_another = False
        if said.certificate is not None and expected is None:
            self._trust(_Trusted(service, said.certificate))
        told: dict[str, Any] = {
            name: value for name, value in msgspec.to_builtins(said).items() if name != "type" and value is not None
        }
        if said.certificate is not None:
            told["certificate_trust"] = PINNED if self._options.certificate else FIRST_USE
        return told

    def _read(self) -> _Trusted | None:
        if self._options.certificate or self._options.service is None:
            return None
        try:
            trusted = msgspec.json.decode(self._file.read_bytes(), type=_Trusted)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(f"{self._file.name} of the camera cannot be read: {error}") from error
        return trusted if trusted.service == self._options.service else None

    def _trust(self, trusted: _Trusted) -> None:
        self._trusted = trusted
        log.warning("camera_trusted_on_first_use", service=trusted.service, certificate=trusted.certificate)
        try:
            replace_file(self._file, msgspec.json.encode(trusted))
        except OSError as error:  # on a full disk it is trusted until the next start
            log.warning("camera_certificate_not_saved", reason=str(error))
