"""A camera with ONVIF: it answers to calls on a multicast group, and speaks SOAP over HTTP with WS-Security.

Its clock may be wrong: like real cameras it then refuses whoever signs with the right time.
"""

import asyncio
import base64
import hashlib
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from drivers.camera import discovery
from edge.installer.found import Found

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema"'
    ' xmlns:ter="http://www.onvif.org/ver10/error"><s:Body>{body}</s:Body></s:Envelope>'
)
_FAULT = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en">Sender not Authorized</s:Text></s:Reason></s:Fault>'
)
_TOLERANCE = timedelta(minutes=5)


@dataclass
class Camera:
    """What the camera is, and how it misbehaves. `asked` are the actions it was asked for, in order."""

    username: str = "admin"
    password: str = "s3cret"  # noqa: S105 - of a simulator
    clock_off: timedelta = timedelta(0)
    names_host: str = "127.0.0.1"
    tells_utc: bool = True
    hostile: bytes | None = None
    silent: bool = False
    stream_query: str = ""
    stream: str = ""
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.clock_off

    async def answer(self, request: web.Request) -> web.Response:
        text = (await request.read()).decode()
        action = re.search(r"<(?:[\w-]+:)?Body[^>]*>\s*<(?:[\w-]+:)?(\w+)", text)
        assert action is not None
        self.asked.append(action[1])
        if self.silent:
            await asyncio.Event().wait()
        if self.hostile is not None:
            return web.Response(body=self.hostile, content_type="application/soap+xml")
        if action[1] != "GetSystemDateAndTime" and not self._is_authentic(text):
            return self._said(_FAULT, status=400)
        return self._said(getattr(self, f"_{action[1]}")())

    def _said(self, body: str, *, status: int = 200) -> web.Response:
        text = _ENVELOPE.format(body=body)
        return web.Response(text=text, status=status, content_type="application/soap+xml")

    def _is_authentic(self, text: str) -> bool:
        """WS-Security UsernameToken Profile 1.0: digest = Base64(SHA-1(nonce + created + password))."""
        found = {
            name: match[1]
            for name in ("Username", "Password", "Nonce", "Created")
            if (match := re.search(rf"<(?:[\w-]+:)?{name}(?: [^>]*)?>([^<]*)<", text))
        }
        if len(found) < 4 or found["Username"] != self.username:
            return False
        secret = base64.b64decode(found["Nonce"]) + found["Created"].encode() + self.password.encode()
        digest = base64.b64encode(hashlib.sha1(secret).digest()).decode()  # noqa: S324 - the profile's
        created = datetime.fromisoformat(found["Created"])
        return digest == found["Password"] and abs(created - self.now()) < _TOLERANCE

    def _GetSystemDateAndTime(self) -> str:  # noqa: N802 - the action's name
        now = self.now()
        utc = (
            f"<tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
            f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date></tt:UTCDateTime>"
        )
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            f"<tt:DaylightSavings>false</tt:DaylightSavings>{utc if self.tells_utc else ''}"
            "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def _GetServices(self) -> str:  # noqa: N802
        services = "".join(
            f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{kind}/wsdl</tds:Namespace>"
            f"<tds:XAddr>http://{self.names_host}:{self.port}/onvif/{kind}_service</tds:XAddr>"
            "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
            for kind in ("device", "media")
        )
        return f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>"

    def _GetDeviceInformation(self) -> str:  # noqa: N802
        return (
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>Diwang</tds:Manufacturer><tds:Model>K-1</tds:Model>"
            "<tds:FirmwareVersion>5.5</tds:FirmwareVersion><tds:SerialNumber>0001</tds:SerialNumber>"
            "<tds:HardwareId>1</tds:HardwareId></tds:GetDeviceInformationResponse>"
        )

    def _GetProfiles(self) -> str:  # noqa: N802
        profiles = _profile("main", 2560, 1440) + _profile("sub", 640, 360)
        return f"<trt:GetProfilesResponse>{profiles}</trt:GetProfilesResponse>"

    def _GetStreamUri(self) -> str:  # noqa: N802
        if self.stream:
            return _uri("GetStreamUri", self.stream)
        number = self.asked.count("GetStreamUri")
        url = f"rtsp://admin:s3cret@{self.names_host}:554/Streaming/Channels/10{number}{self.stream_query}"
        return _uri("GetStreamUri", url)

    def _GetSnapshotUri(self) -> str:  # noqa: N802
        return _uri("GetSnapshotUri", f"http://{self.names_host}/snap.jpg")


def _profile(name: str, width: int, height: int) -> str:
    return (
        f'<trt:Profiles token="{name}" fixed="true"><tt:Name>{name}</tt:Name>'
        f'<tt:VideoEncoderConfiguration token="e{name}"><tt:Name>e</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height>"
        "</tt:Resolution><tt:Quality>4</tt:Quality></tt:VideoEncoderConfiguration></trt:Profiles>"
    )


def _uri(action: str, url: str) -> str:
    return (
        f"<trt:{action}Response><trt:MediaUri><tt:Uri>{url}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
        "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        f"</trt:{action}Response>"
    )


def certificate(folder: Path, name: str = "camera") -> tuple[ssl.SSLContext, str]:
    """What a camera makes for itself in the factory, long expired; gives its SHA-256 too."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2015, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, made.fingerprint(hashes.SHA256()).hex()


@asynccontextmanager
async def on_https(camera: Camera, context: ssl.SSLContext, port: int = 0) -> AsyncIterator[str]:
    """Give the address of the camera's device service behind TLS; in what it says it names plain HTTP, as many do."""
    async with _served(camera, context, port):
        yield f"https://127.0.0.1:{camera.port}/onvif/device_service"


@asynccontextmanager
async def on_http(camera: Camera) -> AsyncIterator[str]:
    """Give the address of the camera's device service."""
    async with _served(camera, None, 0):
        yield f"http://127.0.0.1:{camera.port}/onvif/device_service"


@asynccontextmanager
async def _served(camera: Camera, context: ssl.SSLContext | None, port: int) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/onvif/{service}", camera.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context, reuse_address=True)
    await site.start()
    try:
        camera.port = int(runner.addresses[0][1])
        yield
    finally:
        await runner.cleanup()


def match(endpoint: str, service: str, scopes: str) -> str:
    """One match of an answer to a probe."""
    return (
        f"<d:ProbeMatch><a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference>"
        f"<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes>"
        f"<d:XAddrs>{service}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
    )


def answer(probe: str, *matches: str) -> bytes:
    """An answer to the probe with this message id."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
        f"<s:Header><a:RelatesTo>{probe}</a:RelatesTo></s:Header>"
        f"<s:Body><d:ProbeMatches>{''.join(matches)}</d:ProbeMatches></s:Body></s:Envelope>"
    ).encode()


@contextmanager
def in_multicast(answers: "list[bytes | str]", port: int = 0) -> Iterator[int]:
    """A camera that hears calls on the loopback interface; the port, a free one unless told, is given.

    It answers each call with all of `answers`: bytes as they are, texts as matches in an answer to that call.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setblocking(False)  # noqa: FBT003
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # others of this machine may listen as well
        ear.bind(("", port))
        membership = socket.inet_aton(discovery.GROUP) + socket.inet_aton("127.0.0.1")
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("8s", membership))
        loop = asyncio.get_running_loop()
        loop.add_reader(ear, _reply, ear, answers)
        try:
            yield ear.getsockname()[1]
        finally:
            loop.remove_reader(ear)


def _reply(ear: socket.socket, answers: "list[bytes | str]") -> None:
    call, caller = ear.recvfrom(65_536)
    number = re.search(r"MessageID>([^<]*)<", call.decode())
    assert number is not None
    assert "NetworkVideoTransmitter" in call.decode()
    for each in answers:
        ear.sendto(each if isinstance(each, bytes) else answer(number[1], each), caller)


def as_found(service: str) -> Found:
    """Return what the installer's scan shows of a camera with its service here; it wants a user."""
    return Found(
        kind="camera",
        title="Yard",
        place="127.0.0.1",
        plausible=True,
        why="onvif",
        driver="camera",
        options={},
        wants=("user",),
        service=service,
    )
