"""The process that asks one camera: a question on its standard input, an answer on its output, then it ends.

Services are asked at the address that was given, whatever host the camera names for them: a camera behind a router
names one that cannot be reached, a hostile one somebody else's. What makes no sense ends the process without an answer.
"""

import asyncio
import resource
import sys
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import aiohttp
import msgspec
import zeep.exceptions
from onvif import ONVIFCamera, ONVIFError, ONVIFService
from onvif.exceptions import ONVIFTimeoutError

from drivers.camera import tls
from drivers.camera.onvif import Answer, Description, Failure, OtherCertificateError, Question, Stream
from protocol.errors import DeviceUnreachableError

_MEMORY_BYTES: Final = 512 << 20
_CPU_S: Final = 20
_MOST_PROFILES: Final = 16
_LONGEST: Final = 128
_PORTS: Final = {"http": 80, "https": 443}
_WITHOUT_PERMISSION: Final = frozenset({401, 403})
_NOT_THIS_USER: Final = "it refuses the user or the password"
_STREAM_SETUP: Final = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}


def main() -> None:
    """Answer one question."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    answer = asyncio.run(_answer(question))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


async def _answer(question: Question) -> Answer:
    try:
        async with asyncio.timeout(question.timeout_s):
            return await _described(question)
    except (OtherCertificateError, aiohttp.ServerFingerprintMismatch) as error:
        return Failure("other_certificate", str(error))
    except (DeviceUnreachableError, TimeoutError, ONVIFTimeoutError, aiohttp.ClientError, OSError) as error:
        return Failure("unreachable", str(error) or "no answer")
    except zeep.exceptions.TransportError as error:
        is_refusal = error.status_code in _WITHOUT_PERMISSION
        return Failure("refused", _NOT_THIS_USER) if is_refusal else Failure("unreachable", f"HTTP {error.status_code}")
    except zeep.exceptions.Fault as fault:
        return Failure("refused", _why(fault))
    except (zeep.exceptions.Error, ONVIFError) as error:
        return Failure("refused", f"it answers what is no ONVIF: {type(error).__name__}")


async def _described(question: Question) -> Description:
    address = urlsplit(question.service)
    if address.scheme == "http":
        return await _said(question, None)
    host, port = address.hostname or "", address.port or _PORTS["https"]
    certificate = await tls.presented(host, port)
    if question.certificate not in {None, certificate}:
        raise OtherCertificateError(f"it shows the certificate {certificate}, not {question.certificate}")
    # From here on each connection must show the same one, before anything is said on it.
    pinned = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(bytes.fromhex(certificate)))
    async with aiohttp.ClientSession(connector=pinned) as session:
        return msgspec.structs.replace(await _said(question, session), certificate=certificate)


async def _said(question: Question, session: aiohttp.ClientSession | None) -> Description:
    camera = _Camera(question, session, adjust_time=True)
    try:
        await camera.update_xaddrs()
    except AttributeError:  # it tells no UTC, against the specification; then its clock must be right
        await camera.close()
        camera = _Camera(question, session, adjust_time=False)
        await camera.update_xaddrs()
    try:
        management = await camera.create_devicemgmt_service()
        about = await management.GetDeviceInformation()
        media = await camera.create_media_service()
        profiles = (await media.GetProfiles() or [])[:_MOST_PROFILES]
        host = urlsplit(question.service).hostname or ""
        streams = [stream for profile in profiles if (stream := await _stream(media, profile, host))]
    finally:
        await camera.close()
    return Description(
        maker=_line(about.Manufacturer),
        model=_line(about.Model),
        firmware=_line(about.FirmwareVersion),
        serial=_line(about.SerialNumber),
        clock_offset_s=None if camera.dt_diff is None else round(camera.dt_diff.total_seconds(), 1),
        streams=tuple(streams),
    )


class _Camera(ONVIFCamera):  # type: ignore[misc] # the library has no types
    """The library's camera, which speaks through our session, if any, and to the address that was given alone."""

    def __init__(self, question: Question, session: aiohttp.ClientSession | None, *, adjust_time: bool) -> None:
        address = urlsplit(question.service)
        host = address.hostname or ""
        self._origin = f"{address.scheme}://[{host}]" if ":" in host else f"{address.scheme}://{host}"
        self._session = session
        port = address.port or _PORTS[address.scheme]
        super().__init__(self._origin, port, question.username, question.password, adjust_time=adjust_time)

    def rewrite_url(self, url: str | None) -> str | None:
        """Keep the path of a service alone: a camera behind a router names a host that is not there, or plain HTTP."""
        if url is None:
            return None
        parts = urlsplit(url)
        return f"{self._origin}:{self.port}{parts.path}" + (f"?{parts.query}" if parts.query else "")

    async def create_onvif_service(self, *args: Any, **kwargs: Any) -> ONVIFService:  # noqa: ANN401 - the library's
        """Give each service our session."""
        service = await super().create_onvif_service(*args, **kwargs)
        if self._session is not None:
            service.transport.session = self._session
        return service


async def _stream(media: Any, profile: Any, host: str) -> Stream | None:  # noqa: ANN401 - made from a WSDL at run time
    setup = {"ProfileToken": profile.token, "StreamSetup": _STREAM_SETUP}
    url = _at(host, (await media.GetStreamUri(setup)).Uri, "rtsp")
    if url is None:
        return None
    try:
        still = (await media.GetSnapshotUri({"ProfileToken": profile.token})).Uri
    except (zeep.exceptions.Fault, ONVIFError):  # optional, and often not there
        still = None
    encoder = profile.VideoEncoderConfiguration
    return Stream(
        profile=_line(profile.Name or profile.token),
        url=url,
        encoding=_line(encoder.Encoding) if encoder else "",
        width=int(encoder.Resolution.Width) if encoder and encoder.Resolution else 0,
        height=int(encoder.Resolution.Height) if encoder and encoder.Resolution else 0,
        snapshot=_at(host, still, "http"),
    )


def _at(host: str, address: str | None, scheme: str) -> str | None:
    """Return an address with this host in place of its own and without a user; None for what is none."""
    try:
        parts = urlsplit((address or "").strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {scheme, scheme + "s"} or not parts.hostname or any(not c.isprintable() for c in parts.path):
        return None
    if any("pass" in name.lower() or "pwd" in name.lower() for name, _ in parse_qsl(parts.query)):
        return None  # a secret in an address would end up in configuration and logs
    place = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, f"{place}:{port}" if port else place, parts.path, parts.query, ""))


def _why(fault: zeep.exceptions.Fault) -> str:
    codes = " ".join(str(code) for code in (fault.code, *(fault.subcodes or ())))
    if "NotAuthorized" in codes or "FailedAuthentication" in codes or "not authorized" in str(fault.message).lower():
        return _NOT_THIS_USER
    return f"it says no: {_line(fault.message)}"


def _line(text: object) -> str:
    return "".join(letter for letter in str(text or "") if letter.isprintable())[:_LONGEST].strip()


if __name__ == "__main__":
    main()
