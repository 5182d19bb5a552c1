"""Setting up a new hub: open to whoever has read its console."""

from fastapi import APIRouter, Request

from hub.accounts.issuing import digest
from hub.accounts.schemas import ApiKeyCreated
from hub.api.access import address_of, refuse_other_sites
from hub.api.problems import problems
from hub.parts import PartsHere
from hub.setup.exchanging import exchange
from hub.setup.schemas import SetupIn
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["accounts"], responses=problems(400, 403, 405, 410, 413, 422, 429, 503))


@router.post("/setup", status_code=201)
async def set_up(body: SetupIn, request: Request, parts: PartsHere) -> ApiKeyCreated:
    """Exchange the console's one-time token for the first key, which has every right and is in this answer alone.

    An address that has sent five wrong tokens has to wait.
    """
    refuse_other_sites(request)
    written = body.token.get_secret_value()
    address, offered = address_of(request), digest(written)
    parts.keys.setup_tokens.require(address, offered)
    try:
        async with parts.database.write() as session:
            issued = await exchange(session, parts.clock, written, body.name)
    except RefusedRequestError as refusal:
        if refusal.rule == "setup.wrong_token":
            parts.keys.setup_tokens.wrong(address, offered)
        raise
    return ApiKeyCreated.of(issued)
