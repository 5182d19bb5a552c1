"""Wrong keys: counted per address, forgotten after a minute, never held against somebody else."""

import pytest

from hub.accounts.issuing import digest
from hub.accounts.throttle import _ADDRESSES, DIFFERENT_KEYS, SAME_KEY, WINDOW_S, Throttle
from protocol.clock import ManualClock
from protocol.errors import RefusedRequestError

OFFICE, ELSEWHERE = "192.0.2.7", "192.0.2.8"


def _key(number: int) -> bytes:
    return digest(f"wrong {number}")


def _must_wait(throttle: Throttle, address: str, key: bytes) -> bool:
    try:
        throttle.require(address, key)
    except RefusedRequestError as refusal:
        return refusal.status == 429
    return False


def test_a_script_with_a_dead_key_shuts_out_itself_and_nobody_else() -> None:
    throttle = Throttle(ManualClock())
    for _ in range(SAME_KEY):
        assert not _must_wait(throttle, OFFICE, _key(1))
        throttle.wrong(OFFICE, _key(1))
    assert _must_wait(throttle, OFFICE, _key(1))
    assert not _must_wait(throttle, OFFICE, _key(2))
    assert not _must_wait(throttle, ELSEWHERE, _key(1))


def test_who_tries_many_keys_waits_a_minute() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for number in range(DIFFERENT_KEYS):
        assert not _must_wait(throttle, OFFICE, _key(number))
        throttle.wrong(OFFICE, _key(number))
    assert _must_wait(throttle, OFFICE, _key(-1))
    assert not _must_wait(throttle, ELSEWHERE, _key(-1))
    clock.advance(WINDOW_S)
    assert not _must_wait(throttle, OFFICE, _key(-1))


@pytest.mark.parametrize(
    ("address", "beside", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("", "", True),
    ],
)
def test_a_network_of_ipv6_is_one_address(address: str, beside: str, *, same: bool) -> None:
    throttle = Throttle(ManualClock())
    for number in range(DIFFERENT_KEYS):
        throttle.wrong(address, _key(number))
    assert _must_wait(throttle, beside, _key(-1)) == same


def test_it_remembers_so_many_addresses_and_no_more() -> None:
    throttle = Throttle(ManualClock())
    for number in range(_ADDRESSES + 10):
        throttle.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", _key(1))
    assert len(throttle._tries) == _ADDRESSES
