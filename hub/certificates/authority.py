"""The hub's root: a P-256 key and its self-signed certificate in the data folder, made at the first start.

It signs two kinds of certificates and no third: the hub's own as a server (`serverAuth`), and those of boxes as clients
(`clientAuth`, the common name is the gateway). Profile: RFC 5280.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.certificates import files
from protocol.clock import Clock
from protocol.errors import ConfigurationError

ROOT_LIFE: Final = timedelta(days=365 * 20)
BACKDATED: Final = timedelta(hours=1)
"""How far the clock of whoever looks at a new certificate may be behind the hub's."""

KEY_FILE: Final = "authority.pem"
ROOT_FILE: Final = "root.pem"


class Authority:
    """The root of one hub. The private key stays in this object and in a file that only the hub's user can read."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self.pem: str = certificate.public_bytes(serialization.Encoding.PEM).decode()
        """The root certificate, for whoever is to trust it."""

        self.fingerprint: str = certificate.fingerprint(hashes.SHA256()).hex()
        """SHA-256 of the root certificate's DER form, as tickets and people compare it."""

    @classmethod
    def opened(cls, folder: Path, clock: Clock) -> "Authority":
        """Read the root in this folder, or make it. Raises ConfigurationError when it cannot be read or written.

        A root that is lost cannot be made again: every box would have to be enrolled anew. So a file that is damaged is
        an error, never a reason to begin again.
        """
        file = folder / KEY_FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not file.exists():
                files.write_once(file, _new_root(clock.now()))
            content = file.read_bytes()
            authority = cls(*_read(content))
            files.write(folder / ROOT_FILE, authority.pem.encode())
        except OSError as error:
            raise ConfigurationError(f"the hub's root certificate {file}: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"the hub's root certificate {file} is damaged; put it back from a backup: {error}"
            ) from error
        if file.stat().st_mode & 0o077:
            raise ConfigurationError(f"{file} holds the key of every identity and others can read it: chmod 600 {file}")
        return authority

    def issue_for_gateway(
        self, key: ec.EllipticCurvePublicKey, gateway: str, life: timedelta, now: datetime
    ) -> x509.Certificate:
        """Return a client certificate of a gateway: common name = its id, valid for `life` from now."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
        return self._signed(key, name, now, now + life, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))

    def issue_for_server(
        self, key: ec.EllipticCurvePublicKey, names: Iterable[str], life: timedelta, now: datetime
    ) -> x509.Certificate:
        """Return a server certificate for these host names and addresses."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Diwang hub")])
        alternatives = x509.SubjectAlternativeName([general_name(each) for each in names])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return self._signed(key, name, now, now + life, usage, alternatives)

    def _signed(
        self,
        key: ec.EllipticCurvePublicKey,
        subject: x509.Name,
        begins: datetime,
        ends: datetime,
        *extensions: x509.ExtensionType,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins - BACKDATED)
            .not_valid_after(min(ends, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def serial_of(certificate: x509.Certificate) -> str:
    """Return a serial number as it is stored and shown: hexadecimal, lower case."""
    return f"{certificate.serial_number:x}"


def common_name(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Return the common name of a subject; empty when it has none, or several."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    value = found[0].value if len(found) == 1 else ""
    return value if isinstance(value, str) else ""


def general_name(name: str) -> x509.GeneralName:
    """Return a host's name or address as it stands in certificates. Raises ValueError for what cannot."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, digital_signature: bool = False, signs_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _new_root(now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: a verifier that knows several roots finds the one that signed by name first.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Diwang hub root {secrets.token_hex(4)}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return files.key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _read(content: bytes) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = serialization.load_pem_private_key(content, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("its key is not one of an elliptic curve")
    certificate = x509.load_pem_x509_certificate(content)
    if certificate.public_key() != key.public_key():
        raise ValueError("its key and its certificate do not belong together")
    return certificate, key
