"""Who the box says that it is: its certificate, and that nobody else can read what proves it."""

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from edge.config import Config
from edge.doctor.findings import Finding, fine, watch, wrong
from protocol.clock import Clock

_SOON: Final = timedelta(days=20)
"""A certificate of 90 days is renewed after 60: with 20 left, renewal has failed for ten days."""


def credentials(config: Config, clock: Clock) -> Iterator[Finding]:
    """Look at the files that the configuration names."""
    for name in ("password_file", "key_file"):
        if file := getattr(config.hub, name):
            yield from _readable_by_others(Path(file))
    if config.hub.cert_file:
        yield _certificate(Path(config.hub.cert_file), config.gateway.id, clock)


def _readable_by_others(file: Path) -> Iterator[Finding]:
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield watch("secret_readable", file=file)


def _certificate(file: Path, gateway: str, clock: Clock) -> Finding:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        return wrong("certificate_unreadable", file=file, reason=error)
    names = [each.value for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    facts = {"gateway": gateway, "names": ", ".join(map(str, names)), "begins": begins.date(), "ends": ends.date()}
    if names != [gateway]:
        return wrong("certificate_of_another", **facts)
    if clock.now() < begins:
        return wrong("certificate_not_yet", **facts)
    if clock.now() >= ends:
        return wrong("certificate_over", **facts)
    if ends - clock.now() < _SOON and ends - begins > 2 * _SOON:
        return watch("certificate_ends_soon", **facts)
    return fine("certificate_fine", **facts)
