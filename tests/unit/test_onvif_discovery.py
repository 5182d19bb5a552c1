"""Calling for cameras: real datagrams on the loopback interface, and answers by whoever happens to be there."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera.discovery import Found, discover, interfaces, read_answer
from protocol.errors import DeviceUnreachableError, UndecodableMessageError
from tests.simulators import onvif_camera
from tests.simulators.onvif_camera import answer, match

SCOPES = (
    "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Kitchen%20camera"
    " onvif://www.onvif.org/hardware/DS-2CD onvif://www.onvif.org/location/%E5%8E%A8%E6%88%BF http://else.where/name/x"
)
HOST = "192.0.2.7"
PROBE = "urn:uuid:1"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'>&b;</s:Envelope>"
)


async def found_through_loopback(answers: list[bytes | str], *, enough: int) -> list[Found]:
    found: list[Found] = []
    with onvif_camera.in_multicast(answers) as port:
        async for camera in discover(20, through=["127.0.0.1"], port=port):
            found.append(camera)
            if len(found) == enough:
                break
    return found


async def test_cameras_answer_once_each_whatever_else_answers() -> None:
    service = "http://127.0.0.1:8000/onvif/device_service"
    answers: list[bytes | str] = [
        BOMB,
        b"\xff\xfe noise",
        b"<not xml",
        answer("urn:uuid:of-somebody-else", match("urn:uuid:0", service, SCOPES)),
        match("urn:uuid:1", f"http://10.0.0.9/onvif/device_service {service}", SCOPES),
        match("urn:uuid:1", service, SCOPES),
        match("urn:uuid:2", "http://10.0.0.9/onvif/device_service", ""),
    ]
    first, second = await found_through_loopback(answers, enough=2)
    assert first == Found("127.0.0.1", service, "urn:uuid:1", "Kitchen camera", "DS-2CD", "厨房")
    assert second == Found("127.0.0.1", "http://127.0.0.1/onvif/device_service", "urn:uuid:2")


async def test_the_search_ends_by_itself() -> None:
    with onvif_camera.in_multicast([]) as port:
        assert [found async for found in discover(0.05, through=["127.0.0.1"], port=port)] == []


async def test_without_a_network_it_says_so() -> None:
    with pytest.raises(DeviceUnreachableError, match="no network"):
        async for _ in discover(1, through=[]):
            pass


async def test_an_interface_that_is_gone_does_not_end_the_search() -> None:
    answers: list[bytes | str] = [match("urn:uuid:1", "", "")]
    with onvif_camera.in_multicast(answers) as port:
        async for found in discover(20, through=["203.0.113.1", "127.0.0.1"], port=port):
            assert found.endpoint == "urn:uuid:1"
            break


def test_the_box_knows_its_interfaces() -> None:
    assert all(not address.startswith("127.") for address in interfaces())


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (BOMB, "document type"),
        (BOMB.lower().replace(b'<?xml version="1.0"?>', b""), "document type"),
        (BOMB.decode().encode("utf-16"), "not UTF-8"),
        (b"<a>" + b"x" * 40_000, "longer than"),
        (b"", "no XML"),
        (b"<a>\0</a>", "no XML"),
    ],
)
def test_hostile_answers_say_why(datagram: bytes, reason: str) -> None:
    with pytest.raises(UndecodableMessageError, match=reason):
        read_answer(datagram, HOST, PROBE)


def test_texts_of_strangers_are_lines_of_bounded_length() -> None:
    scopes = "onvif://www.onvif.org/name/a%0Ab%1B[31m" + "x" * 500
    (found,) = read_answer(answer(PROBE, match("urn:uuid:1", "", scopes)), HOST, PROBE)
    assert found.name == "ab[31m" + "x" * 122


@given(st.binary(max_size=300))
def test_no_datagram_hurts(datagram: bytes) -> None:
    for noise in (datagram, answer(PROBE, "%s")[:200] + datagram):
        try:
            assert isinstance(read_answer(noise, HOST, PROBE), list)
        except UndecodableMessageError:
            continue


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_match_hurts(service: str, scopes: str) -> None:
    escaped = [text.replace("&", "").replace("<", "").replace(">", "") for text in (service, scopes)]
    try:
        found = read_answer(answer(PROBE, match("urn:uuid:1", *escaped)), HOST, PROBE)
    except (UndecodableMessageError, UnicodeEncodeError):
        return
    assert [camera.service for camera in found] == [f"http://{HOST}/onvif/device_service"]


async def test_leaving_the_search_early_leaves_nothing_behind() -> None:
    loop = asyncio.get_running_loop()
    await found_through_loopback([match("urn:uuid:1", "", "")], enough=1)
    await loop.shutdown_asyncgens()
    assert len(asyncio.all_tasks()) == 1
