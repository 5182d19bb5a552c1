"""Who may call a route for gateways: one that is registered, by its password."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.gateways.calling import CallingGateway
from hub.parts import Parts
from tests.serving import Api, new_key

router = APIRouter(prefix="/gateway/v1")


@router.get("/name")
async def name(gateway: CallingGateway) -> str:
    return gateway


@pytest.fixture
async def gateways(parts: Parts) -> AsyncIterator[Api]:
    app = create_app(parts)
    app.include_router(router)
    async with Api(app, await new_key(parts, Scope.ADMIN)) as client:
        yield client


async def registered(api: Api, gateway: str) -> httpx.BasicAuth:
    made = (await api.post("/api/v1/gateways", json={"gateway": gateway})).json()
    return httpx.BasicAuth(made["username"], made["password"])


async def test_a_gateway_is_known_by_its_password(gateways: Api) -> None:
    auth = await registered(gateways, "g1")
    stranger = gateways.without_key()
    answer = await stranger.get("/gateway/v1/name", auth=auth)
    assert (answer.status_code, answer.json()) == (200, "g1")


async def test_nobody_else_is(gateways: Api) -> None:
    await registered(gateways, "g1")
    await registered(gateways, "g2")
    stranger = gateways.without_key()
    wrong = [("g1", ""), ("g1", "wrong"), ("g3", ""), ("G 1", "x"), ("g1", "x" * 4000), ("", ""), ("g1", "\udcff" * 3)]
    for who, password in wrong:
        answer = await stranger.get(
            "/gateway/v1/name", auth=httpx.BasicAuth(who.encode(), password.encode("utf-8", "surrogateescape"))
        )
        assert answer.status_code == 401, who
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert answer.json()["rule"] in {"gateways.not_known", "http.unauthorized"}
    assert (await stranger.get("/gateway/v1/name")).status_code == 401
    assert (await gateways.get("/gateway/v1/name")).status_code == 401, "an API key is no gateway"


async def test_a_revoked_gateway_is_refused_at_once(gateways: Api) -> None:
    auth = await registered(gateways, "g1")
    await gateways.delete("/api/v1/gateways/g1")
    assert (await gateways.without_key().get("/gateway/v1/name", auth=auth)).status_code == 401


async def test_guessing_is_slowed_down(gateways: Api) -> None:
    auth = await registered(gateways, "g1")
    stranger = gateways.without_key()
    codes = [
        (await stranger.get("/gateway/v1/name", auth=httpx.BasicAuth("g1", f"guess {n}"))).status_code
        for n in range(25)
    ]
    assert codes == [401] * 20 + [429] * 5
    right = await stranger.get("/gateway/v1/name", auth=auth)
    assert right.status_code == 200, "a box is not shut out by others behind its address"
