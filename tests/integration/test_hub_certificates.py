"""The hub's root and its own certificate: made once, kept safe, renewed in time, and used by the listeners at once."""

import asyncio
import socket
import ssl
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography import x509

from hub.broker.opening import Secure, open_broker
from hub.certificates.authority import KEY_FILE, Authority
from hub.certificates.opening import open_trust
from hub.certificates.serving import ServerCertificate
from hub.certificates.settings import TlsSettings
from hub.config import BrokerSection, HubConfig, load
from protocol.clock import ManualClock, SystemClock
from protocol.errors import ConfigurationError

LIFE = timedelta(days=90)


def opened(folder: Path) -> str:
    return Authority.opened(folder, SystemClock()).fingerprint


def test_the_root_is_made_once(tmp_path: Path) -> None:
    first = opened(tmp_path / "authority")
    assert opened(tmp_path / "authority") == first
    assert opened(tmp_path / "other") != first
    modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "authority").iterdir()}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "authority").stat().st_mode & 0o077 == 0


def test_processes_that_start_together_have_one_root(tmp_path: Path) -> None:
    with get_context("spawn").Pool(4) as pool:
        found = pool.map(opened, [tmp_path / "authority"] * 8)
    assert len(set(found)) == 1


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_root_that_is_damaged_is_never_made_anew(tmp_path: Path, damage: bytes) -> None:
    opened(tmp_path)
    (tmp_path / KEY_FILE).write_bytes(damage)
    with pytest.raises(ConfigurationError, match="damaged; put it back from a backup"):
        opened(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == damage


def test_a_key_of_another_root_beside_it_is_noticed(tmp_path: Path) -> None:
    opened(tmp_path / "a")
    opened(tmp_path / "b")
    mine, theirs = ((tmp_path / each / KEY_FILE).read_text() for each in "ab")
    mixed = theirs[: theirs.index("-----BEGIN CERT")] + mine[mine.index("-----BEGIN CERT") :]
    (tmp_path / "a" / KEY_FILE).write_text(mixed)
    with pytest.raises(ConfigurationError, match="do not belong together"):
        opened(tmp_path / "a")


def test_a_root_that_others_can_read_is_refused(tmp_path: Path) -> None:
    opened(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        opened(tmp_path)


def server(folder: Path, clock: ManualClock, *names: str) -> ServerCertificate:
    return ServerCertificate(Authority.opened(folder, clock), folder, names, LIFE, clock)


def test_it_is_renewed_at_two_thirds_of_its_life_and_for_other_names(tmp_path: Path) -> None:
    clock = ManualClock()
    ours = server(tmp_path, clock, "hub.example", "10.1.0.5", "FD00::5")
    told: list[bytes] = []
    ours.on_renewal(lambda: told.append(ours.file.read_bytes()))
    assert [ours.renew_if_due(), ours.renew_if_due()] == [True, False]
    made = x509.load_pem_x509_certificate(ours.file.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["hub.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.1.0.5", "fd00::5"]
    clock.advance(60 * 86_400 - 1)
    assert not ours.renew_if_due()
    clock.advance(2)
    assert ours.renew_if_due()
    ours.tell_if_changed()
    ours.tell_if_changed()
    assert told == [ours.file.read_bytes()]
    assert server(tmp_path, clock, "hub.example", "other.example").renew_if_due()
    ours.file.write_bytes(b"rubbish")
    assert ours.renew_if_due()


def test_one_of_another_root_is_replaced(tmp_path: Path) -> None:
    clock = ManualClock()
    assert server(tmp_path / "a", clock, "hub").renew_if_due()
    theirs = server(tmp_path / "b", clock, "hub")
    theirs.file.write_bytes((tmp_path / "a" / "server.pem").read_bytes())
    assert theirs.renew_if_due()


def test_names_that_cannot_stand_in_a_certificate_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"tls\.names"):
        server(tmp_path, ManualClock(), "枢纽").renew_if_due()
    with pytest.raises(ConfigurationError, match="`names`"):
        load(None, {"data": tmp_path, "tls": {"host": "0.0.0.0"}})  # noqa: S104 - it is refused


def test_without_tls_there_is_no_root(tmp_path: Path) -> None:
    config = HubConfig(data=tmp_path, tls=TlsSettings(enabled=False))
    assert open_trust(config, SystemClock(), 0) is None
    assert list(tmp_path.iterdir()) == []


def test_the_ports_follow_the_plain_ones() -> None:
    tls = TlsSettings()
    assert (tls.door_port(8080), tls.door_port(0), tls.broker_port(1883), tls.broker_port(0)) == (8443, 0, 8883, 0)
    assert TlsSettings(port=1, mqtts_port=2).door_port(0) == 1
    assert TlsSettings(port=1, mqtts_port=2).broker_port(0) == 2


def shown(port: int, root: Path) -> int:
    """Shake hands and return the serial number of the certificate that the server shows."""
    context = ssl.create_default_context(cafile=root)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"").serial_number


async def nobody(_: str, __: str) -> bool:
    return False


async def test_the_listeners_show_a_renewed_certificate_without_a_restart(tmp_path: Path) -> None:
    clock = SystemClock()
    ours = ServerCertificate(Authority.opened(tmp_path, clock), tmp_path, ["127.0.0.1"], LIFE, clock)
    ours.renew_if_due()
    ours.tell_if_changed()
    secure = Secure("127.0.0.1", 0, "127.0.0.1", ours, nobody)
    async with open_broker(BrokerSection(mqtt_port=0), "", tmp_path / "broker", nobody, clock, secure) as broker:
        port = int(broker.secure_address.rsplit(":", 1)[1])
        pid = (tmp_path / "broker-tls" / "nats.pid").read_text()
        context = ours.context()
        before = shown(port, ours.root_file)
        ours.file.unlink()
        ours.renew_if_due()
        after = x509.load_pem_x509_certificate(ours.file.read_bytes()).serial_number
        assert before != after
        ours.tell_if_changed()
        assert context.cert_store_stats()["x509_ca"] == 1
        async with asyncio.timeout(20):
            while shown(port, ours.root_file) != after:  # noqa: ASYNC110 - the server announces nothing
                await asyncio.sleep(0.02)
        assert (tmp_path / "broker-tls" / "nats.pid").read_text() == pid
