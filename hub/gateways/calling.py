"""The gateway behind a request under /gateway/v1: its certificate at the HTTPS door, or its password over HTTP Basic.

@router.get("/configs")
async def configs(gateway: CallingGateway, parts: PartsHere) -> …:
    # 401 unless a registered gateway that is not revoked calls; 429 after too many wrong passwords
"""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from hub.api.access import address_of
from hub.gateways.callers import Peer
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

PEER: Final = "peer_certificate"
"""Where the door puts the certificate of a request's connection, as DER, in the request's state."""

_basic = HTTPBasic(
    scheme_name="GatewayPassword",
    description="The gateway's name and its broker password; at the HTTPS door its certificate does instead",
    realm="gateway",
    auto_error=False,
)


async def calling_with_certificate(request: Request, parts: PartsHere) -> Peer | None:
    """Return who showed a certificate in the handshake; None when none was shown. 401 for one that has ended."""
    shown: bytes | None = getattr(request.state, PEER, None)
    if shown is None:
        return None
    peer = await parts.callers.with_certificate(shown)
    if peer is None:
        detail = "the certificate was revoked or superseded, or its gateway was; the box has to be enrolled again"
        raise RefusedRequestError("gateways.certificate_ended", detail, status=401)
    return peer


CertificatePeer = Annotated[Peer | None, Depends(calling_with_certificate)]


async def calling_gateway(
    request: Request,
    parts: PartsHere,
    peer: CertificatePeer,
    offered: Annotated[HTTPBasicCredentials | None, Depends(_basic)],
) -> str:
    """Return the name of the gateway that calls, or refuse with 401; 429 after too many wrong passwords."""
    if peer is not None:
        return peer.gateway
    if offered is not None and await parts.callers.with_password(
        offered.username, offered.password, address_of(request)
    ):
        return offered.username
    detail = "no registered gateway calls with its certificate or password"
    raise RefusedRequestError("gateways.not_known", detail, status=401)


CallingGateway = Annotated[str, Depends(calling_gateway)]
"""The name of the gateway that calls. A route that takes it is open to gateways only."""
