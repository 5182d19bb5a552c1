"""The listeners for enrolled boxes, with the hub as a process: who gets in, what he may say, and when he is out."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.integration.test_hub_process import running
from tests.simulators.new_box import NewBox
from tests.simulators.secure_hub import Identity, SecureHub

PATIENCE_S = 20


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureHub]:
    folder = tmp_path_factory.mktemp("secure")
    (folder / "clients").mkdir()
    with running(folder / "data") as process:
        assert process.first_key is not None
        with closing(SecureHub(process.ready, process.first_key, folder / "clients")) as hub:
            yield hub


@pytest.fixture(scope="module")
def pair(hub: SecureHub) -> tuple[Identity, Identity]:
    return hub.enrolled("m1"), hub.enrolled("m2")


def connect_packet(gateway: str) -> bytes:
    """MQTT 3.1.1 section 3.1: a clean session with a client id and a user name."""
    body = b"\0\4MQTT\4\x82\0\x14" + b"".join(len(gateway).to_bytes(2) + gateway.encode() for _ in range(2))
    return b"\x10" + bytes([len(body)]) + body


def shaken(context: ssl.SSLContext, address: tuple[str, int], said: bytes) -> bytes:
    """Shake hands, say something, and return what is answered; nothing when the other side hangs up."""
    with socket.create_connection(address, timeout=PATIENCE_S) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=address[0]) as tls:
                tls.sendall(said)
                return tls.recv(64)
        except (ssl.SSLError, ConnectionError):
            return b""


def certificate(
    folder: Path, root: tuple[x509.Certificate, ec.EllipticCurvePrivateKey], *, days: float = 1, client: bool = True
) -> Path:
    """Make a client's certificate of any root, by hand."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "m1")]))
        .issuer_name(root[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(root[1], hashes.SHA256())
    )
    file = folder / f"{made.serial_number:x}.pem"
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return file


def root_of(hub: SecureHub) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Read the hub's own root with its key, to make what it would never make."""
    content = (hub.folder.parent / "data" / "authority" / "authority.pem").read_bytes()
    key = serialization.load_pem_private_key(content, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(content), key


def foreign(folder: Path) -> Path:
    file = folder / "foreign.pem"
    issued = trustme.CA().issue_cert("m1.example", common_name="m1")
    file.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    return file


def of_an_old_protocol(hub: SecureHub, identity: Identity) -> ssl.SSLContext:
    context = hub.context(identity)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


async def test_only_a_whole_certificate_of_our_root_gets_in(
    hub: SecureHub, pair: tuple[Identity, Identity], tmp_path: Path
) -> None:
    ours, mqtts = root_of(hub), hub.mqtts
    door = (httpx.URL(hub.ready["door"]).host, httpx.URL(hub.ready["door"]).port or 0)
    ask = b"POST /gateway/v1/confirm HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n"
    assert shaken(hub.context(pair[0]), mqtts, connect_packet("m1")).startswith(b"\x20\x02\x00\x00")
    assert shaken(hub.context(pair[0]), door, ask).startswith(b"HTTP/1.1 200")
    refused = {
        "foreign": hub.context(foreign(tmp_path)),
        "expired": hub.context(certificate(tmp_path, ours, days=-1)),
        "of a server": hub.context(certificate(tmp_path, ours, client=False)),
        "old protocol": of_an_old_protocol(hub, pair[0]),
    }
    for name, context in refused.items():
        assert shaken(context, mqtts, connect_packet("m1")) == b"", name
        assert not shaken(context, door, ask).startswith(b"HTTP/1.1 2"), name
    never_issued = hub.context(certificate(tmp_path, ours))
    assert not shaken(never_issued, mqtts, connect_packet("m1")).startswith(b"\x20\x02\x00\x00")
    assert shaken(never_issued, door, ask).startswith(b"HTTP/1.1 401")
    assert shaken(hub.context(), mqtts, connect_packet("m1")) == b"", "no certificate"
    assert shaken(hub.context(), door, ask).startswith(b"HTTP/1.1 401")
    strangers = ssl.create_default_context()
    with socket.create_connection(mqtts) as plain, pytest.raises(ssl.SSLError):
        strangers.wrap_socket(plain, server_hostname=mqtts[0])


async def test_the_door_is_for_boxes_only(hub: SecureHub) -> None:
    async with httpx.AsyncClient(base_url=hub.ready["door"], verify=hub.context(), trust_env=False) as stranger:
        for path in ("/", "/login", "/api/v1/gateways", "/api/v1/openapi.json", "/metrics", "/readyz"):
            assert (await stranger.get(path)).status_code == 404, path
        assert (await stranger.get("/healthz")).status_code == 200
        assert "BEGIN CERTIFICATE" in (await stranger.get("/gateway/v1/authority")).text


async def test_nobody_takes_the_place_of_another(hub: SecureHub, pair: tuple[Identity, Identity]) -> None:
    first, second = pair
    async with hub.connected(first) as real:
        await real.subscribe("diwang/v1/m1/down/#", qos=1)
        with pytest.raises(aiomqtt.MqttError):
            async with hub.connected(second, client_id="m1"):
                pass
        with pytest.raises(aiomqtt.MqttError):
            async with hub.connected(Identity("m1", second.file, second.serial), client_id="m1"):
                pass
        await real.publish("diwang/v1/m1/up/state", b"still there", qos=1)


OWN = {"pub": "diwang/v1/{me}/up/batch", "sub": "diwang/v1/{me}/down/command"}


@pytest.mark.parametrize("way", ["pub", "retain", "will", "sub"])
async def test_nothing_leaks_from_one_gateway_to_another(
    hub: SecureHub, pair: tuple[Identity, Identity], way: str
) -> None:
    """Every gateway, every kind of topic, every way to say or hear something: what is not its own reaches nobody."""
    for me, other in (pair, pair[::-1]):
        foreign_topics = [
            f"diwang/v1/{other.gateway}/up/state",
            f"diwang/v1/{other.gateway}/down/command",
            f"diwang/v1/{other.gateway}/down/ack",
            f"diwang/v1/{me.gateway}/down/command",
            "diwang/v1/x/up/state",
            "$SYS/REQ/USER/AUTH",
            "$MQTT/sub/x",
        ]
        async with hub.connected(other) as listener:
            await listener.subscribe(f"diwang/v1/{other.gateway}/down/#", qos=1)
            if way == "sub":
                async with hub.connected(me) as gateway:
                    topics = [*foreign_topics[:3], f"diwang/v1/{me.gateway}/up/#", "diwang/v1/+/down/#", "#"]
                    for topic in topics:
                        (granted,) = await gateway.subscribe(topic, qos=1)
                        assert getattr(granted, "value", granted) == 0x80, topic
                continue
            for topic in foreign_topics:
                await say(hub, me, topic, way)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await anext(aiter(listener.messages))
        async with hub.connected(other) as late:
            await late.subscribe(f"diwang/v1/{other.gateway}/down/#", qos=1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await anext(aiter(late.messages))
    letters = hub.api.get("/dead-letters").json()["items"]
    assert {letter["gateway"] for letter in letters} <= {"m1", "m2"}
    assert hub.api.get("/gateways").json()["items"][0]["gateway"] == "m1"


async def say(hub: SecureHub, me: Identity, topic: str, way: str) -> None:
    will = aiomqtt.Will(topic, b"{}", qos=1, retain=True) if way == "will" else None
    with suppress(aiomqtt.MqttError):
        async with hub.connected(me, will=will) as gateway:
            if way == "will":
                connection = gateway._client.socket()
                assert isinstance(connection, socket.socket)
                connection.shutdown(socket.SHUT_RDWR)
            else:
                await gateway.publish(topic, b"{}", qos=1, retain=way == "retain")


async def cut_off(client: aiomqtt.Client) -> None:
    """Return when the broker has closed the connection."""
    with suppress(aiomqtt.MqttError):
        async for _ in client.messages:
            pass


@pytest.mark.parametrize("what", ["certificate", "gateway", "replaced"])
async def test_who_lost_his_right_is_cut_off(hub: SecureHub, what: str) -> None:
    identity = hub.enrolled(f"lost-{what}")
    async with hub.connected(identity) as client:
        await client.publish(f"diwang/v1/{identity.gateway}/up/state", b"{}", qos=1)
        match what:
            case "certificate":
                assert hub.api.delete(f"/certificates/{identity.serial}").status_code == 204
            case "gateway":
                assert hub.api.delete(f"/gateways/{identity.gateway}").status_code == 204
            case _:
                hub.enrolled(identity.gateway, replace=True)
        async with asyncio.timeout(PATIENCE_S):
            await cut_off(client)
    with pytest.raises(aiomqtt.MqttError):
        async with hub.connected(identity):
            pass
    async with hub.door(identity) as door:
        assert (await door.post("/confirm")).status_code == 401


async def test_a_renewed_certificate_takes_over_and_the_old_one_ends(hub: SecureHub) -> None:
    old = hub.enrolled("renewing")
    async with hub.connected(old) as live, hub.door(old) as door:
        box = NewBox()
        given = (await door.post("/renew", json={"request": box.request})).json()
        new = hub.keep("renewing", box, given["certificate"])
        await live.publish("diwang/v1/renewing/up/state", b"{}", qos=1)
        async with hub.door(new) as trying:
            assert (await trying.post("/confirm")).status_code == 200
        async with asyncio.timeout(PATIENCE_S):
            await cut_off(live)
    with pytest.raises(aiomqtt.MqttError):
        async with hub.connected(old):
            pass
    async with hub.connected(new):
        pass


async def come_in_again_and_again(host: str, port: int, gateway: str, password: str) -> None:
    """Connect until that is refused: at the hub's next look at its tables; who came in before that is cut off."""
    while True:
        async with aiomqtt.Client(
            host, port, identifier=gateway, username=gateway, password=password, timeout=5
        ) as client:
            await cut_off(client)


async def test_a_password_does_for_a_gateway_that_has_one_at_the_plain_listener(hub: SecureHub) -> None:
    made = hub.api.post("/gateways", json={"gateway": "plain"}).json()
    host, port = made["broker"].removeprefix("mqtt://").split(":")
    async with aiomqtt.Client(
        host, int(port), identifier="plain", username="plain", password=made["password"], timeout=5
    ) as client:
        await client.publish("diwang/v1/plain/up/state", b"{}", qos=1)
    identity = hub.enrolled("plain", replace=True)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(aiomqtt.MqttError):
            await come_in_again_and_again(host, int(port), "plain", made["password"])
    async with hub.connected(identity):
        pass
