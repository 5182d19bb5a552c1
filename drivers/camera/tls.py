"""Which certificate a device shows, of whatever authority and date it is."""

import asyncio
import hashlib
import ssl
from contextlib import suppress
from typing import Final

from protocol.errors import DeviceUnreachableError

_CLOSE_S: Final = 1.0


async def presented(host: str, port: int) -> str:
    """Return the SHA-256 of the certificate in DER form, in hexadecimal; nothing is said beyond the handshake.

    Raises DeviceUnreachableError when nobody there speaks TLS, in at least its version 1.2.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        raise DeviceUnreachableError(f"{host}:{port} speaks no TLS that is safe: {error.reason or error}") from error
    except OSError as error:
        raise DeviceUnreachableError(f"{host}:{port}: {error}") from error
    try:
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return hashlib.sha256(certificate).hexdigest()
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await writer.wait_closed()
