"""The gateway behind a request under /gateway/v1: its password over HTTP Basic.

@router.get("/configs")
async def configs(gateway: CallingGateway, parts: PartsHere) -> …:
    # 401 unless a registered gateway that is not revoked calls; 429 after too many wrong passwords
"""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from hub.api.access import address_of
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

_basic = HTTPBasic(
    scheme_name="GatewayPassword",
    description="The gateway's name and its broker password",
    realm="gateway",
    auto_error=False,
)


async def calling_gateway(
    request: Request, parts: PartsHere, offered: Annotated[HTTPBasicCredentials | None, Depends(_basic)]
) -> str:
    """Return the name of the gateway that calls, or refuse with 401; 429 after too many wrong passwords."""
    if offered is not None and await parts.callers.with_password(
        offered.username, offered.password, address_of(request)
    ):
        return offered.username
    raise RefusedRequestError("gateways.not_known", "no registered gateway calls with its password", status=401)


CallingGateway = Annotated[str, Depends(calling_gateway)]
"""The name of the gateway that calls. A route that takes it is open to gateways only."""
