"""Writing keys and certificates: for the hub's own user alone, whole or not at all, and through to the disk."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol.lasting import sync_folder


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM (PKCS 8). The file's mode protects it; a pass phrase would lie beside it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write(file: Path, content: bytes) -> None:
    """Put the content in the file's place at once, readable by this user alone. Raises OSError."""
    written = _beside(file, content)
    written.replace(file)
    sync_folder(file.parent)


def write_once(file: Path, content: bytes) -> None:
    """Do as `write`, unless another process was first; then its file stays. Raises OSError."""
    written = _beside(file, content)
    try:
        os.link(written, file)
    except FileExistsError:
        return
    finally:
        written.unlink()
    sync_folder(file.parent)


def _beside(file: Path, content: bytes) -> Path:
    written = file.with_name(f".{file.name}.{os.getpid()}")
    written.unlink(missing_ok=True)
    handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    return written
