"""What the demonstration asks of the hub's API: the same calls that any integrator makes."""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

import httpx

from protocol.errors import PermanentError

READY_S: Final = 30.0


class HubRefusedError(PermanentError):
    """The hub said no to something that the demonstration needs."""


async def ready(url: str) -> None:
    """Return when every part of the hub is ready; raise TimeoutError after 30 s."""
    async with asyncio.timeout(READY_S), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        while not await _is_ready(http):
            await asyncio.sleep(0.1)


async def set_up(url: str, token: str, name: str) -> str:
    """Exchange the token of a new hub's console for its first key."""
    async with httpx.AsyncClient(base_url=url, timeout=10.0, trust_env=False) as http:
        made = _accepted(await http.post("/setup", json={"token": token, "name": name}))
    return str(made["key"])


class HubClient:
    """A caller of one hub with one API key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=10.0, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON
        """Return what the hub answers; raise HubRefusedError when it refuses."""
        return _accepted(await self._http.get(f"/api/v1{path}", params=query))

    async def post(self, path: str, body: object, *, once: str) -> Any:  # noqa: ANN401 - any JSON
        """Create something; asking again with the same `once` changes nothing and answers the same."""
        headers = {"Idempotency-Key": once}
        return _accepted(await self._http.post(f"/api/v1{path}", json=body, headers=headers))

    async def patch(self, path: str, changes: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Change something, whatever its version is now."""
        current = await self._http.get(f"/api/v1{path}")
        _accepted(current)
        headers = {"If-Match": current.headers["ETag"]}
        return _accepted(await self._http.patch(f"/api/v1{path}", json=changes, headers=headers))


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        answer = await http.get("/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


def _accepted(answer: httpx.Response) -> Any:  # noqa: ANN401 - any JSON
    if answer.is_error:
        raise HubRefusedError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
    return answer.json() if answer.content else None
