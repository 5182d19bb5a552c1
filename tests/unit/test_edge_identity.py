"""The identity file, the configuration that names it, and what is said about both."""

import json
import ssl
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trustme

from edge import config
from edge.enrolment import identity, words
from edge.enrolment.identity import Validity
from edge.enrolment.site_file import SiteFile
from edge.link import _NO_CHECK_TIME, tls_context
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError

NOW = SystemClock().now()


def written(file: Path, issued_at: datetime) -> Validity:
    made = trustme.CA().issue_cert("box.example", common_name="g1")
    validity = Validity(issued_at, issued_at + timedelta(days=60), issued_at + timedelta(days=90))
    chain = "".join(each.bytes().decode() for each in made.cert_chain_pems)
    file.write_bytes(identity.written(validity, made.private_key_pem.bytes(), chain))
    return validity


def test_an_identity_says_how_long_it_serves(tmp_path: Path) -> None:
    file = tmp_path / identity.IDENTITY
    validity = written(file, NOW)
    assert identity.validity_of(file) == validity
    ssl.create_default_context().load_cert_chain(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\n",
        b"\xff\xfe\n",
        b"Issued-At: x\nRenew-At: y\nNot-After: z\n",
        b"Issued-At: 2026-11-25T00:00:00\nRenew-At: 2026-11-25T00:00:00\nNot-After: 2026-11-25T00:00:00\n",
    ],
)
def test_another_certificate_says_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.pem"
    assert identity.validity_of(file) is None
    file.write_bytes(content)
    assert identity.validity_of(file) is None


@pytest.mark.parametrize(("issued_in_s", "lax"), [(-60, False), (86_400, True)])
def test_a_box_whose_clock_is_before_its_own_enrolment_still_reaches_the_hub(
    tmp_path: Path, issued_in_s: float, *, lax: bool
) -> None:
    file, root = tmp_path / identity.IDENTITY, tmp_path / "root.pem"
    written(file, NOW + timedelta(seconds=issued_in_s))
    trustme.CA().cert_pem.write_to_path(root)
    hub = config.Hub(broker="mqtts://hub", ca_file=str(root), cert_file=str(file), key_file=str(file))
    context = tls_context(hub, tls=True)
    assert context is not None
    assert bool(context.verify_flags & _NO_CHECK_TIME) is lax
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


SITE = """\
# a site
title = "厨房"

[hub] # whom it reports to
  broker = "mqtt://old:1883"   # plain
username = "someone"

[devices.cam]
driver = "camera"
options = { url = "rtsp://cam/1" }
"""


def test_every_line_that_is_not_meant_stays(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE, encoding="utf-8")
    file.chmod(0o640)
    site = SiteFile(file)
    assert (site.gateway, site.data) == (None, tmp_path / "data")
    site.set("gateway", {"id": "g1"})
    site.set("hub", {"broker": "mqtts://hub:8883", "api": 'https://"hub"\\', "username": None, "password_file": None})
    site.write()
    text = file.read_text(encoding="utf-8")
    expected = SITE.replace('  broker = "mqtt://old:1883"   # plain\nusername = "someone"\n', "")
    assert [line for line in expected.splitlines() if line not in text.splitlines()] == []
    tree = tomllib.loads(text)
    assert tree["gateway"] == {"id": "g1"}
    assert tree["hub"] == {"broker": "mqtts://hub:8883", "api": 'https://"hub"\\'}
    assert tree["devices"] == tomllib.loads(SITE)["devices"]
    assert SiteFile(file).gateway == "g1"
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "text",
    [
        'hub.broker = "x"\n',
        'hub = { broker = "x" }\n',
        '[hub]\nbroker = """\nx"""\n',
        '["hub"]\nbroker = "x"\n',
        'note = """\n[hub]\n"""\n',
        "hub = 3\n",
    ],
)
def test_a_file_that_would_come_out_otherwise_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="by hand"):
        SiteFile(file).set("hub", {"broker": "y"})
    assert file.read_text() == text


def test_paths_are_named_from_the_file_where_they_lie_beside_it(tmp_path: Path) -> None:
    site = SiteFile(tmp_path / "site.toml")
    assert site.relative(tmp_path / "data" / "x.pem") == "data/x.pem"
    assert site.relative(Path("/var/lib/box/x.pem")) == "/var/lib/box/x.pem"


def test_both_languages_say_the_same_things() -> None:
    folder = Path(words.__file__).parent
    chinese, english = (json.loads((folder / f"{each}.json").read_text(encoding="utf-8")) for each in words.LANGUAGES)
    assert chinese.keys() == english.keys()
    for code, said in chinese.items():
        assert fields_of(said) == fields_of(english[code]), code


def fields_of(said: str) -> set[str]:
    return {part.split("}")[0] for part in said.split("{")[1:]}
