"""Where a camera is asked by ONVIF, and the certificate by which it is known there."""

from typing import Final
from urllib.parse import urlsplit

from protocol.errors import ConfigurationError

FINGERPRINT: Final = "^[0-9a-f]{64}$"
"""A certificate as it is named here: the SHA-256 of its DER form, in hexadecimal."""


def check_service(service: str, certificate: str | None) -> None:
    """Raise ConfigurationError for what is no address of a service, and for a certificate that it cannot show."""
    try:
        parts = urlsplit(service)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.username is not None:
        raise ConfigurationError("an ONVIF service is at http://host or https://host, or with a port, without a user")
    if certificate is not None and parts.scheme != "https":
        raise ConfigurationError("only an ONVIF service at https:// shows a certificate")
