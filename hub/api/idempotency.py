"""A creation that is repeated changes nothing and is answered the same, also after a crash between commit and answer.

    @router.post("/gateways", status_code=201, response_model=GatewayCreated)
    async def create(body: GatewayIn, creation: Annotated[Creation, creation_with(Scope.DEVICES_WRITE)]) -> Response:
        return await creation.once(lambda session: add_gateway(session, body), location=lambda made: f"/api/v1/…")

The act, the answer and the client's `Idempotency-Key` are committed in one transaction. The answer may hold a secret
that is shown once, so it is sealed with a key that only the client's Idempotency-Key opens. Without the header the act
simply runs.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api import repository
from hub.api.access import caller_with
from hub.api.model import CreationRow
from hub.parts import Parts, PartsHere
from protocol.errors import RefusedRequestError

KEPT_FOR: Final = timedelta(days=1)
REPLAYED: Final = "Idempotency-Replayed"
_NONCE_BYTES: Final = 12

Made = TypeVar("Made", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Creation:
    """One creating request of one caller."""

    parts: Parts
    caller: Caller
    key: str | None
    request_hash: bytes

    async def once(
        self,
        act: Callable[[AsyncSession], Awaitable[Made]],
        *,
        location: Callable[[Made], str] | None = None,
        status: int = 201,
    ) -> Response:
        """Run `act` in one write transaction, unless this request was already answered; return the answer.

        Raises RefusedRequestError (422) when the same Idempotency-Key came with another request, and what `act` raises;
        then nothing is stored.
        """
        async with self.parts.database.write() as session:
            if self.key is None:
                return _answer(await act(session), status, location)
            creation_id = hashlib.sha256(f"{self.caller.key_id}\n{self.key}".encode()).digest()
            now = self.parts.clock.now()
            if not await repository.claim(session, creation_id, self.request_hash, now, now - KEPT_FOR):
                return self._repeated(await repository.claimed(session, creation_id))
            answer = _answer(await act(session), status, location)
            sealed = _seal(self.key, creation_id, bytes(answer.body))
            await repository.complete(session, creation_id, status, answer.headers.get("location"), sealed)
            return answer

    def _repeated(self, row: CreationRow) -> Response:
        if row.request_hash != self.request_hash or row.answer is None or row.status is None or self.key is None:
            detail = "this Idempotency-Key was used for another request; take a fresh one"
            raise RefusedRequestError("idempotency.key_reused", detail, status=422)
        headers = {REPLAYED: "true"} | ({"Location": row.location} if row.location else {})
        return Response(_open(self.key, row.id, row.answer), row.status, headers, "application/json")


def creation_with(scope: Scope) -> Any:  # noqa: ANN401 - FastAPI's Depends is typed so
    """Return the dependency that admits only callers with `scope`, and yields the Creation."""

    async def creation(
        request: Request,
        parts: PartsHere,
        caller: Annotated[Caller, caller_with(scope)],
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1, max_length=255, description="A fresh UUID per creation; repeats are answered the same"
            ),
        ] = None,
    ) -> Creation:
        seen = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
        seen.update(await request.body())
        return Creation(parts, caller, idempotency_key, seen.digest())

    return Depends(creation)


def _answer(made: Made, status: int, location: Callable[[Made], str] | None) -> Response:
    headers = {"Location": location(made)} if location else None
    return Response(made.model_dump_json(by_alias=True), status, headers, "application/json")


def _sealing_key(key: str, creation_id: bytes) -> AESGCM:
    return AESGCM(hashlib.blake2b(key.encode(), key=creation_id, person=b"diwang-answer", digest_size=32).digest())


def _seal(key: str, creation_id: bytes, answer: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _sealing_key(key, creation_id).encrypt(nonce, answer, creation_id)


def _open(key: str, creation_id: bytes, sealed: bytes) -> bytes:
    return _sealing_key(key, creation_id).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], creation_id)
