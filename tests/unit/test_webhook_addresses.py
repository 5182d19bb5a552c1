"""Where webhooks may go."""

import httpx
import pytest

from hub.notifications.addresses import AddressPolicy
from protocol.errors import ConfigurationError, RefusedRequestError, UplinkUnavailableError

NOTHING = AddressPolicy()
SITE = AddressPolicy.of(("127.0.0.1", "10.1.0.0/16", "desk.local", "fd00::/8"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "example.org",
        "https://",
        "https://user:secret@example.org/",
        "https://example.org/#part",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://172.16.3.4/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[64:ff9b:1::1]/",
        "https://[2002:7f00:1::]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:0:10.0.0.1]/",
        "https://[fec0::1]/",
        "https://1.1.1.1:65536/",
        "https://1.1.1.1:0/",
        "https://xn--/",
        "http://1.1.1.1/",
    ],
)
def test_what_is_not_open_to_all_is_refused(url: str) -> None:
    with pytest.raises(RefusedRequestError) as caught:
        NOTHING.require_url(url)
    assert (caught.value.rule, caught.value.status) == ("channels.url_refused", 422)


NAT64 = "https://[64:ff9b::1.1.1.1]/"


@pytest.mark.parametrize(
    "url", ["https://example.org/hook?x=1", "https://1.1.1.1:8443/", "https://[2606:4700::1111]/", NAT64]
)
def test_public_https_is_taken(url: str) -> None:
    assert NOTHING.require_url(url).scheme == "https"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/x",
        "http://10.1.2.3/",
        "http://desk.local/",
        "https://DESK.local./",
        "http://[fd00::1]:80/",
        "http://[::ffff:10.1.0.1]/",
    ],
)
def test_what_the_site_allows_is_taken_also_by_http(url: str) -> None:
    assert SITE.require_url(url).host


@pytest.mark.parametrize("url", ["http://127.0.0.2/", "http://10.2.0.1/", "http://desk.local.evil.org/"])
def test_what_the_site_does_not_allow_stays_refused(url: str) -> None:
    with pytest.raises(RefusedRequestError):
        SITE.require_url(url)


async def test_a_name_is_judged_by_what_it_stands_for() -> None:
    with pytest.raises(RefusedRequestError):
        await NOTHING.resolve(httpx.URL("https://localhost/"))
    assert str(await SITE.resolve(httpx.URL("http://127.0.0.1/"))) == "127.0.0.1"
    named = AddressPolicy.of(("localhost",))
    assert (await named.resolve(httpx.URL("http://localhost/"))).is_loopback


async def test_a_name_that_stands_for_nothing_is_tried_again() -> None:
    with pytest.raises(UplinkUnavailableError):
        await NOTHING.resolve(httpx.URL("https://nowhere.invalid/"))


def test_a_network_that_is_none_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"10\.0\.0\.0/33"):
        AddressPolicy.of(("10.0.0.0/33",))
