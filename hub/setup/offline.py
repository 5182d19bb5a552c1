"""Set-up tokens made on the spot: for the operator of the machine, whether the hub runs or not."""

from hub.config import HubConfig
from hub.offline import writing
from hub.setup.exchanging import new_token
from protocol.clock import Clock
from protocol.errors import ConfigurationError


async def renew(config: HubConfig, clock: Clock) -> str:
    """Make a token, which voids those before it, and return it. Raises ConfigurationError for a hub that is set up."""
    async with writing(config) as session:
        token = await new_token(session, clock)
    if token is None:
        raise ConfigurationError("this hub has an administrator; `diwang hub keys create` makes further keys")
    return token
