"""A BTHome sensor: service data built object by object from the format's tables, in clear and encrypted."""

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

SERVICE = "0000fcd2-0000-1000-8000-00805f9b34fb"
_CLEAR, _ENCRYPTED = 0x40, 0x41


def temperature(celsius: float) -> bytes:
    """Object 0x02: signed, hundredths of a degree."""
    return b"\x02" + round(celsius * 100).to_bytes(2, "little", signed=True)


def humidity(percent: float) -> bytes:
    """Object 0x03: unsigned, hundredths of a per cent."""
    return b"\x03" + round(percent * 100).to_bytes(2, "little")


def battery(percent: int) -> bytes:
    """Object 0x01: unsigned per cent."""
    return bytes((0x01, percent))


def opened(*, is_open: bool) -> bytes:
    """Object 0x11: an opening."""
    return bytes((0x11, is_open))


def packet(number: int) -> bytes:
    """Object 0x00: counts up with each new measurement."""
    return bytes((0x00, number))


def clear(*objects: bytes) -> bytes:
    """The service data of an advertisement without encryption; objects in the order of their numbers."""
    return bytes((_CLEAR,)) + b"".join(objects)


def encrypted(key: bytes, address: str, counter: int, *objects: bytes) -> bytes:
    """The service data of an encrypted advertisement: AES-CCM with a tag of four bytes, the counter in the nonce."""
    count = counter.to_bytes(4, "little")
    nonce = bytes.fromhex(address.replace(":", "")) + b"\xd2\xfc" + bytes((_ENCRYPTED,)) + count
    sealed = AESCCM(key, tag_length=4).encrypt(nonce, b"".join(objects), None)
    return bytes((_ENCRYPTED,)) + sealed[:-4] + count + sealed[-4:]
