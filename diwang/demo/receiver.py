"""The inspector's end of a webhook: checks the signature and prints what an inspector would read."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

LONGEST: Final = 64 * 1024


def key_of(secret: str) -> bytes:
    """Return the signing key in a Standard Webhooks secret: `whsec_` and base64."""
    return base64.b64decode(secret.removeprefix("whsec_"))


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a webhook, as Standard Webhooks defines it: HMAC-SHA256 over id, time and body."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


@contextmanager
def listening(port: int, secret: Callable[[], bytes], show: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Receive webhooks on loopback while the block lasts; `show` gets each that is signed with `secret`, once."""
    seen: set[str] = set()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(min(length, LONGEST))
            message_id = self.headers.get("webhook-id", "")
            expected = signature(secret(), message_id, self.headers.get("webhook-timestamp", ""), body)
            if not any(hmac.compare_digest(expected, one) for one in self.headers.get("webhook-signature", "").split()):
                self._answer(HTTPStatus.UNAUTHORIZED)
                return
            if message_id not in seen:
                seen.add(message_id)
                show(json.loads(body))
            self._answer(HTTPStatus.NO_CONTENT)

        def _answer(self, status: HTTPStatus) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Stay silent: the demonstration prints what matters itself."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="receiver", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
