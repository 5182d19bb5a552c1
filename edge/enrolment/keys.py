"""The box's own keys: P-256, made here, and never anywhere else."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from protocol.lasting import replace_file


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as it is kept. What protects it is that only the agent's user can read the file."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def kept_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key in a file, or make one and keep it there; on return it is on the disk. Raises OSError."""
    try:
        known = serialization.load_pem_private_key(file.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        known = None
    if isinstance(known, ec.EllipticCurvePrivateKey):
        return known
    key = new_key()
    replace_file(file, key_pem(key))
    return key


def request_pem(key: ec.EllipticCurvePrivateKey, gateway: str | None) -> str:
    """Return the PKCS 10 request that proves that the box holds this key."""
    name = [x509.NameAttribute(NameOID.COMMON_NAME, gateway)] if gateway is not None else []
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(name)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def public_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half, DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def flaw(certificate_pem: str, root_pem: str, key: ec.EllipticCurvePrivateKey, gateway: str) -> str:
    """Return why a certificate is not the one that was asked for; empty when it is."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(root_pem.encode()))
    except (ValueError, TypeError, InvalidSignature) as error:
        return f"the certificate is none of the hub's root: {error or type(error).__name__}"
    if certificate.public_key() != key.public_key():
        return "the certificate is for another key"
    names = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return "" if names == [gateway] else f"the certificate is for {names}"
