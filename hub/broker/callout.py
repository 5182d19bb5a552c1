"""Who may connect to the broker, decided by the hub for each CONNECT (NATS auth callout).

The server asks over `$SYS.REQ.USER.AUTH`; the answer is a user token that holds the gateway's allow-list, signed by the
issuer whose public key stands in the server's configuration. Nothing is configured per gateway, so that one is added or
revoked while the broker runs. The token formats are NATS's authorization request and response claims, version 2.

A gateway proves who it is by its password, or on the TLS listener by its certificate, which the server has verified
before it asks: signed by the hub's root, within its time, made for clients.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec
import nkeys
from cryptography import x509
from nats.aio.client import Client
from nats.aio.msg import Msg

from hub.certificates.authority import common_name, serial_of
from protocol import logs, topics

log = logs.get(__name__)

SUBJECT: Final = "$SYS.REQ.USER.AUTH"
_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}
_MQTT_SUBSCRIPTIONS: Final = 32

Admission = Callable[[str, str], Awaitable[bool]]
"""Whether this gateway may connect with this password, or with the certificate of this serial number."""


class Issuer:
    """The key that signs what the broker trusts. It lives as long as the process, the private half only in memory."""

    def __init__(self) -> None:
        self._pair: Any = nkeys.from_seed(nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_ACCOUNT))
        self.public_key: str = self._pair.public_key.decode()

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the claims as a signed token (JWT with NATS's ed25519-nkey algorithm)."""
        claims = {**claims, "iss": self.public_key, "iat": int(time.time())}
        claims["jti"] = base64.b32encode(hashlib.sha256(msgspec.json.encode(claims)).digest()).decode().rstrip("=")
        body = f"{_segment(_HEADER)}.{_segment(claims)}"
        return f"{body}.{_base64(self._pair.sign(body.encode()))}"


class _ConnectOptions(msgspec.Struct):
    user: str = ""
    password: str = msgspec.field(name="pass", default="")


class _ClientInfo(msgspec.Struct):
    mqtt_id: str = ""


class _ClientTls(msgspec.Struct):
    verified_chains: list[list[str]] = []


class _Server(msgspec.Struct):
    id: str


class _Question(msgspec.Struct):
    user_nkey: str
    server_id: _Server
    connect_opts: _ConnectOptions
    client_info: _ClientInfo
    client_tls: _ClientTls | None = None


class _Request(msgspec.Struct):
    nats: _Question


_requests: Final = msgspec.json.Decoder(_Request)


class Claim(NamedTuple):
    """Who a client says it is, what proves it, and until when that can be so (seconds since 1970)."""

    gateway: str
    proof: str
    expires: int | None = None


Identify = Callable[[_Question], Claim | None]


def by_password(question: _Question) -> Claim | None:
    """Return the user name with its password."""
    return Claim(question.connect_opts.user, question.connect_opts.password)


def by_certificate(question: _Question) -> Claim | None:
    """Return the common name of the certificate with its serial number; None without a certificate.

    A user name may be left out; one that is not the certificate's is refused.
    """
    chains = question.client_tls.verified_chains if question.client_tls is not None else []
    if not chains or not chains[0]:
        return None
    certificate = x509.load_pem_x509_certificate(chains[0][0].encode())
    gateway = common_name(certificate)
    if question.connect_opts.user not in {"", gateway}:
        return None
    return Claim(gateway, serial_of(certificate), int(certificate.not_valid_after_utc.timestamp()))


async def answer_connects(
    client: Client, issuer: Issuer, account: str, admits: Admission, identify: Identify = by_password
) -> None:
    """Answer every CONNECT that the broker asks about, as long as `client` is connected."""

    async def answer(message: Msg) -> None:
        question = _requests.decode(_payload_of(message.data)).nats
        claims = await _verdict(question, issuer, account, admits, identify)
        await message.respond(issuer.sign(claims).encode())

    await client.subscribe(SUBJECT, cb=answer)


async def _verdict(
    question: _Question, issuer: Issuer, account: str, admits: Admission, identify: Identify
) -> dict[str, Any]:
    claim = identify(question)
    about: dict[str, Any] = {"type": "authorization_response", "version": 2}
    if (
        claim is not None
        and topics.is_level(claim.gateway)
        and question.client_info.mqtt_id == claim.gateway
        and await admits(claim.gateway, claim.proof)
    ):
        about["jwt"] = issuer.sign(_user(question.user_nkey, claim, account))
    else:
        about["error"] = "unknown gateway, wrong password or certificate, or a client id that is not the gateway's"
        said = claim.gateway if claim is not None else question.connect_opts.user
        log.warning("connect_refused", gateway=said[:64], client_id=question.client_info.mqtt_id[:64])
    return {"sub": question.user_nkey, "aud": question.server_id.id, "nats": about}


def _user(user_key: str, claim: Claim, account: str) -> dict[str, Any]:
    """The gateway's rights: publish under its own `up`, read its own `down`, by MQTT only.

    The server cuts the connection when a token expires, so nobody stays connected longer than a certificate lasts.
    """
    gateway = claim.gateway
    branch = f"{topics.ROOT}/{gateway}".replace("/", ".")
    return ({"exp": claim.expires} if claim.expires is not None else {}) | {
        "sub": user_key,
        "aud": account,
        "name": gateway,
        "nats": {
            "type": "user",
            "version": 2,
            "pub": {"allow": [f"{branch}.up.>"]},
            # A filter that ends in `/#` includes its parent, so the parent must be readable as well.
            "sub": {"allow": [f"{branch}.down", f"{branch}.down.>"]},
            "subs": _MQTT_SUBSCRIPTIONS,
            "data": -1,
            "payload": -1,
            "allowed_connection_types": ["MQTT"],
        },
    }


def _payload_of(token: bytes) -> bytes:
    """Return the claims of a token. Only the server can publish the request, so its signature adds nothing."""
    body = token.split(b".")[1]
    return base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))


def _segment(part: dict[str, Any]) -> str:
    return _base64(msgspec.json.encode(part))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
