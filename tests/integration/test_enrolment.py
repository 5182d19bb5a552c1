"""From a work order to a certificate, over HTTP and on both databases: once, to one box, in time, or with a reason."""

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import zxingcpp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image
from starlette.types import Receive, Scope, Send

from hub.accounts.scopes import Scope as Right
from hub.app import create_app
from hub.gateways.calling import PEER
from hub.parts import Parts
from hub.storage.database import Database
from protocol.clock import ManualClock
from protocol.enrolment import check_digits, read_code, read_ticket
from tests.serving import Api, new_key, opened_parts
from tests.simulators.new_box import NewBox, der

ON_ONE_DATABASE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For what does not depend on which of the two it is."""

START = datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def parts(database: Database, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Parts]:
    async with opened_parts(database, tmp_path, clock) as opened:
        yield opened


async def ordered(api: Api, gateway: str = "g1", **more: Any) -> dict[str, Any]:
    answer = await api.post("/api/v1/enrolments", json={"gateway": gateway, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def enrolled(api: Api, box: NewBox, gateway: str = "g1", **more: Any) -> dict[str, Any]:
    made = await ordered(api, gateway, **more)
    answer = await api.without_key().post("/gateway/v1/enrol", json={"code": made["code"], "request": box.request})
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json()
    return given


def showing(api: Api, certificate: str) -> httpx.AsyncClient:
    """Return a client whose connections have shown a certificate at the door."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await api.app({**scope, "state": {PEER: der(certificate)}}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://hub/gateway/v1")


async def use(api: Api, code: str, box: NewBox, **more: Any) -> httpx.Response:
    return await api.without_key().post("/gateway/v1/enrol", json={"code": code, "request": box.request, **more})


async def certificates(api: Api, gateway: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.get(f"/api/v1/certificates?gateway={gateway}")).json()["items"]
    return items


async def test_a_box_becomes_a_gateway(api: Api, clock: ManualClock) -> None:
    made = await ordered(api, note="后厨 3 号")
    ticket = read_ticket(made["ticket"])
    picture = Image.open(io.BytesIO(base64.b64decode(made["qr_png"].partition(",")[2])))
    (read,) = zxingcpp.read_barcodes(picture)
    assert read.text == made["ticket"]
    assert made["qr_svg"].startswith("<svg")
    root = x509.load_pem_x509_certificate((await api.without_key().get("/gateway/v1/authority")).content)
    assert ticket.fingerprint == (await api.get("/api/v1/authority")).json()["fingerprint"]
    box = NewBox()
    answer = await use(api, made["code"], box)
    given = answer.json()
    certificate = x509.load_pem_x509_certificate(given["certificate"].encode())
    certificate.verify_directly_issued_by(root)
    assert certificate.subject.rfc4514_string() == "CN=g1"
    assert certificate.public_key() == box.key.public_key()
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_after_utc == START + timedelta(days=90)
    assert datetime.fromisoformat(given["renew_at"]) == START + timedelta(days=60)
    assert given["check"] == check_digits(ticket.code, box.public_key)
    assert (given["gateway"], given["broker"], given["api"]) == (
        "g1",
        "mqtts://hub.example:8883",
        "https://hub.example:8443",
    )
    order = (await api.get(f"/api/v1/enrolments/{made['id']}")).json()
    assert (order["state"], order["check"], order["note"]) == ("issued", given["check"], "后厨 3 号")
    assert (await api.get("/api/v1/gateways/g1")).json()["status"] == "offline"
    async with showing(api, given["certificate"]) as gateway:
        assert (await gateway.post("/confirm")).json()["serial"] == order["serial"]
    assert clock.now() == START


@ON_ONE_DATABASE
async def test_nobody_holds_the_code_but_who_was_told(api: Api, parts: Parts) -> None:
    made = await ordered(api)
    code = read_code(made["code"])
    for path in (f"/enrolments/{made['id']}", "/enrolments", "/gateways"):
        answer = await api.get(f"/api/v1{path}")
        assert code not in answer.text
        assert made["code"] not in answer.text
    async with parts.database.read() as session:
        connection = await session.connection()
        rows = (await connection.exec_driver_sql("SELECT * FROM enrolment")).all()
    assert code not in str(rows)


async def test_a_code_is_for_one_box_which_may_ask_again(api: Api) -> None:
    made, box = await ordered(api), NewBox()
    first = await use(api, made["code"], box)
    again = await use(api, made["code"].lower().replace("-", " "), box)
    assert (again.status_code, again.json()["certificate"]) == (200, first.json()["certificate"])
    other = await use(api, made["code"], NewBox())
    assert (other.status_code, other.json()["rule"]) == (410, "enrolments.used")
    assert len(await certificates(api, "g1")) == 1


async def test_fifty_boxes_with_one_code_get_one_certificate(api: Api) -> None:
    made = await ordered(api)
    answers = await asyncio.gather(*(use(api, made["code"], NewBox()) for _ in range(50)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 410, 429}
    assert len(await certificates(api, "g1")) == 1


@ON_ONE_DATABASE
async def test_a_hundred_boxes_get_a_hundred_keys(api: Api) -> None:
    boxes = {f"g{number}": NewBox() for number in range(100)}
    for name, box in boxes.items():
        await enrolled(api, box, name)
    issued = []
    cursor = ""
    while cursor is not None:
        page = (await api.get(f"/api/v1/certificates?limit=40{cursor and f'&cursor={cursor}'}")).json()
        issued += page["items"]
        cursor = page["next"]
    keys = {x509.load_pem_x509_certificate(each["pem"].encode()).public_key().public_numbers() for each in issued}
    assert len(keys) == len(issued) == 100
    assert len({each["serial"] for each in issued}) == 100


@ON_ONE_DATABASE
async def test_a_code_is_good_for_a_quarter_of_an_hour(api: Api, clock: ManualClock) -> None:
    made = await ordered(api)
    clock.advance(15 * 60)
    late = await use(api, made["code"], NewBox())
    assert (late.status_code, late.json()["rule"]) == (410, "enrolments.expired")
    assert (await api.get(f"/api/v1/enrolments/{made['id']}")).json()["state"] == "expired"


@ON_ONE_DATABASE
async def test_the_sixth_wrong_code_has_to_wait_and_the_right_one_does_not(api: Api, clock: ManualClock) -> None:
    made = await ordered(api)
    wrong = [f"{number:016d}" for number in range(5)]
    answers = [await use(api, code, NewBox()) for code in wrong]
    assert [(each.status_code, each.json()["rule"]) for each in answers] == [(404, "enrolments.wrong_code")] * 5
    sixth = await use(api, "0" * 15 + "9", NewBox())
    assert (sixth.status_code, sixth.headers["Retry-After"]) == (429, "60")
    assert (await use(api, "not a code", NewBox())).status_code == 429
    clock.advance(61)
    assert (await use(api, "0" * 15 + "9", NewBox())).status_code == 404
    assert (await use(api, made["code"], NewBox())).status_code == 200


@ON_ONE_DATABASE
async def test_a_code_that_is_misused_dies(api: Api) -> None:
    made = await ordered(api)
    for _ in range(5):
        answer = await api.without_key().post("/gateway/v1/enrol", json={"code": made["code"], "request": "nonsense"})
        assert (answer.status_code, answer.json()["rule"]) == (422, "enrolments.bad_request")
    right = await use(api, made["code"], NewBox())
    assert (right.status_code, right.json()["rule"]) == (429, "enrolments.too_many_tries")


def tampered() -> str:
    lines = NewBox().request.splitlines()
    body = bytearray(base64.b64decode("".join(lines[1:-1])))
    body[-1] ^= 1
    return "\n".join([lines[0], base64.b64encode(body).decode(), lines[-1], ""])


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("request_of", "reason"),
    [
        (lambda: NewBox(key=rsa.generate_private_key(65537, 2048)).request, "P-256"),
        (lambda: NewBox(key=ec.generate_private_key(ec.SECP384R1())).request, "P-256"),
        (lambda: NewBox("g2").request, "not for 'g1'"),
        (tampered, "not signed|cannot be read"),
        (lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "cannot be read"),
        (lambda: NewBox().private_pem, "cannot be read"),
    ],
    ids=["rsa", "p384", "another-name", "tampered", "rubbish", "a-key"],
)
async def test_requests_that_do_not_serve(api: Api, request_of: Any, reason: str) -> None:
    made = await ordered(api)
    body = {"code": made["code"], "request": request_of()}
    answer = await api.without_key().post("/gateway/v1/enrol", json=body)
    assert answer.status_code == 422
    assert re.search(reason, answer.json()["detail"])
    assert (await use(api, made["code"], NewBox("g1"))).status_code == 200, "one mistake does not cost the code"


async def test_a_held_back_certificate_is_released_by_who_compared(api: Api) -> None:
    made, box = await ordered(api, confirm=True), NewBox()
    path = f"/api/v1/enrolments/{made['id']}"
    assert (await api.post(f"{path}/confirm", json={"check": "123456"})).status_code == 409
    waiting = await use(api, made["code"], box)
    assert (waiting.status_code, waiting.json()["certificate"]) == (202, None)
    assert (await use(api, made["code"], NewBox())).status_code == 410
    assert await certificates(api, "g1") == []
    order = (await api.get(path)).json()
    assert (order["state"], order["check"]) == ("waiting", waiting.json()["check"])
    wrong = f"{(int(order['check']) + 1) % 1_000_000:06d}"
    assert (await api.post(f"{path}/confirm", json={"check": wrong})).json()["rule"] == "enrolments.other_digits"
    for _ in range(2):
        assert (await api.post(f"{path}/confirm", json={"check": order["check"]})).json()["state"] == "issued"
    given = await use(api, made["code"], box)
    assert given.status_code == 200
    assert given.json()["certificate"]


@ON_ONE_DATABASE
async def test_the_wrong_box_is_refused(api: Api, clock: ManualClock) -> None:
    made, box = await ordered(api, confirm=True), NewBox()
    await use(api, made["code"], box)
    assert (await api.post(f"/api/v1/enrolments/{made['id']}/refuse")).json()["state"] == "refused"
    refused = await use(api, made["code"], box)
    assert (refused.status_code, refused.json()["rule"]) == (403, "enrolments.refused")
    assert (await api.post(f"/api/v1/enrolments/{made['id']}/confirm", json={"check": "000000"})).status_code == 409
    late, box = await ordered(api, "g2", confirm=True), NewBox()
    digits = (await use(api, late["code"], box)).json()["check"]
    clock.advance(3600)
    confirming = await api.post(f"/api/v1/enrolments/{late['id']}/confirm", json={"check": digits})
    assert confirming.json()["rule"] == "enrolments.nobody_waits"


@ON_ONE_DATABASE
async def test_a_cancelled_order_is_worth_nothing(api: Api) -> None:
    made = await ordered(api)
    for _ in range(2):
        assert (await api.delete(f"/api/v1/enrolments/{made['id']}")).status_code == 204
    assert (await use(api, made["code"], NewBox())).json()["rule"] == "enrolments.cancelled"
    done = await ordered(api, "g2")
    await use(api, done["code"], NewBox())
    assert (await api.delete(f"/api/v1/enrolments/{done['id']}")).status_code == 409
    assert (await api.delete(f"/api/v1/enrolments/{uuid4()}")).status_code == 404
    assert (await api.get(f"/api/v1/enrolments/{uuid4()}")).status_code == 404


async def test_a_gateway_that_has_a_box_is_replaced_on_purpose_only(api: Api) -> None:
    password = (await api.post("/api/v1/gateways", json={"gateway": "g1"})).json()["password"]
    refused = await api.post("/api/v1/enrolments", json={"gateway": "g1"})
    assert (refused.status_code, refused.json()["rule"]) == (409, "enrolments.gateway_taken")
    first = await enrolled(api, NewBox(), replace=True)
    by_password = httpx.BasicAuth("g1", password)
    assert (await api.without_key().post("/gateway/v1/retire", auth=by_password)).status_code == 401
    second = await enrolled(api, NewBox(), replace=True)
    assert first["epoch"] != second["epoch"]
    async with showing(api, first["certificate"]) as old, showing(api, second["certificate"]) as new:
        assert (await old.post("/confirm")).json()["rule"] == "gateways.certificate_ended"
        assert (await new.post("/confirm")).status_code == 200
    assert [each["ended_why"] for each in await certificates(api, "g1")].count("superseded") == 1


@ON_ONE_DATABASE
async def test_a_gateway_that_was_registered_meanwhile_is_not_taken_over(api: Api) -> None:
    made = await ordered(api)
    await api.post("/api/v1/gateways", json={"gateway": "g1"})
    assert (await use(api, made["code"], NewBox())).json()["rule"] == "enrolments.gateway_taken"


@ON_ONE_DATABASE
async def test_a_box_that_is_called_otherwise_does_not_use_the_code_up(api: Api) -> None:
    made = await ordered(api)
    other = await use(api, made["code"], NewBox(), gateway="g7")
    assert (other.status_code, other.json()["rule"]) == (409, "enrolments.other_gateway")
    assert (await use(api, made["code"], NewBox(), gateway="g1")).status_code == 200


async def test_the_next_certificate_is_tried_before_the_old_one_goes(api: Api, clock: ManualClock) -> None:
    given = await enrolled(api, NewBox())
    clock.advance(60 * 86_400)
    async with showing(api, given["certificate"]) as gateway:
        lost = (await gateway.post("/renew", json={"request": NewBox().request})).json()
        renewed = (await gateway.post("/renew", json={"request": NewBox("g1").request})).json()
        assert (await gateway.post("/confirm")).status_code == 200, "the old one stands until the new one was tried"
        async with showing(api, lost["certificate"]) as never_tried:
            assert (await never_tried.post("/confirm")).status_code == 401
        async with showing(api, renewed["certificate"]) as with_new:
            for _ in range(2):
                assert (await with_new.post("/confirm")).json()["serial"] == renewed["serial"]
        assert (await gateway.post("/confirm")).json()["rule"] == "gateways.certificate_ended"
    states = {each["serial"]: each["ended_why"] for each in await certificates(api, "g1")}
    assert states == {
        renewed["serial"]: None,
        lost["serial"]: "superseded",
        (await api.get("/api/v1/enrolments")).json()["items"][0]["serial"]: "superseded",
    }


@ON_ONE_DATABASE
async def test_a_renewal_wants_a_new_key_a_certificate_and_a_measure(api: Api) -> None:
    box = NewBox()
    given = await enrolled(api, box)
    assert (await api.without_key().post("/gateway/v1/renew", json={"request": NewBox().request})).status_code == 401
    async with showing(api, given["certificate"]) as gateway:
        same = await gateway.post("/renew", json={"request": box.request})
        assert (same.status_code, same.json()["rule"]) == (409, "enrolments.same_key")
        assert (await gateway.post("/renew", json={"request": NewBox("g2").request})).status_code == 422
        answers = [await gateway.post("/renew", json={"request": NewBox().request}) for _ in range(48)]
        assert [each.status_code for each in answers] == [200] * 47 + [429]


async def test_what_is_revoked_opens_nothing(api: Api) -> None:
    first, second = await enrolled(api, NewBox(), "g1"), await enrolled(api, NewBox(), "g2")
    serial = (await certificates(api, "g1"))[0]["serial"]
    for _ in range(2):
        assert (await api.delete(f"/api/v1/certificates/{serial}")).status_code == 204
    assert (await api.delete("/api/v1/certificates/abc")).status_code == 404
    assert (await api.get(f"/api/v1/certificates/{serial}")).json()["ended_why"] == "revoked"
    await api.delete("/api/v1/gateways/g2")
    for given in (first, second):
        async with showing(api, given["certificate"]) as gateway:
            assert (await gateway.post("/confirm")).status_code == 401
            assert (await gateway.post("/renew", json={"request": NewBox().request})).status_code == 401
    again = await enrolled(api, NewBox(), "g2")
    async with showing(api, again["certificate"]) as gateway:
        assert (await gateway.post("/confirm")).status_code == 200


async def test_a_box_that_is_reset_retires_itself(api: Api) -> None:
    given = await enrolled(api, NewBox())
    async with showing(api, given["certificate"]) as gateway:
        assert (await gateway.post("/retire")).status_code == 204
        assert (await gateway.post("/retire")).status_code == 401
    assert (await api.get("/api/v1/gateways/g1")).json()["status"] == "revoked"


@ON_ONE_DATABASE
async def test_a_certificate_of_our_root_that_we_never_issued_is_nobody(api: Api, parts: Parts) -> None:
    await enrolled(api, NewBox())
    assert parts.issuing is not None
    key = ec.generate_private_key(ec.SECP256R1())
    forged = parts.issuing.authority.issue_for_gateway(key.public_key(), "g1", timedelta(days=1), START)
    async with showing(api, forged.public_bytes(Encoding.PEM).decode()) as gateway:
        assert (await gateway.post("/confirm")).status_code == 401


@ON_ONE_DATABASE
async def test_orders_are_for_installers(api: Api) -> None:
    installer = await api.with_scopes(Right.ENROLMENTS_MANAGE)
    body = {"gateway": "g1", "subject": str(uuid4())}
    assert (await installer.post("/api/v1/enrolments", json=body)).status_code == 404
    made = await ordered(installer)
    assert UUID(made["id"])
    reader = await api.with_scopes(Right.DEVICES_READ, Right.DEVICES_WRITE)
    assert (await reader.post("/api/v1/enrolments", json={"gateway": "g2"})).status_code == 403
    assert (await installer.delete("/api/v1/certificates/abc")).status_code == 403


@ON_ONE_DATABASE
async def test_repeating_the_order_gives_the_same_code(api: Api) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    answers = [await api.post("/api/v1/enrolments", json={"gateway": "g1"}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()


@pytest.fixture
async def api(parts: Parts) -> AsyncIterator[Api]:
    async with Api(create_app(parts), await new_key(parts, Right.ADMIN)) as client:
        yield client
