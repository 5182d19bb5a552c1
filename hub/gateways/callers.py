"""Which gateway calls over HTTP: by its password, checked against the table of gateways."""

import hmac
from typing import Final

from hub.accounts.issuing import digest
from hub.accounts.throttle import Throttle
from hub.gateways import repository
from hub.gateways.registry import digest_of
from hub.storage.database import Database
from protocol.clock import Clock
from protocol.topics import is_level

_LONGEST_PASSWORD: Final = 200


class Callers:
    """The gateways that call one hub process. Nothing is remembered, so a revoked one is refused at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._throttle = Throttle(clock)

    async def with_password(self, gateway: str, password: str, address: str) -> bool:
        """Tell whether this is the password of a registered gateway; `address` is where the call came from.

        Raises RefusedRequestError (429) when too many wrong passwords came from there, StoreUnavailableError when it
        cannot be looked up.
        """
        if not is_level(gateway) or len(password) > _LONGEST_PASSWORD:
            return False
        async with self._database.read() as session:
            stored = (await repository.credentials(session, None, gateway)).get(gateway)
        # Compared also when there is no such gateway, so that time does not tell which ones there are.
        right = hmac.compare_digest(stored or "", digest_of(password))
        if not right:
            # Only who is wrong waits: a box must not be shut out by another behind the same address.
            offered = digest(f"{gateway}\n{password}")
            self._throttle.require(address, offered)
            self._throttle.wrong(address, offered)
        return right
