"""Nobody overwrites what they have not seen: `ETag` on what people edit, `If-Match` to edit it (RFC 9110, RFC 6585).

    async def edit(if_match: IfMatch, response: Response, …) -> GridOut:
        if_match.require(row.version)              # 412 unless the caller saw this version
        tag(response, row.version + 1)             # the new ETag

A request without If-Match is refused with 428 before the route runs. Declare with `responses=problems(404, 412, 428)`.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Response

from protocol.errors import RefusedRequestError


@dataclass(frozen=True, slots=True)
class Expectation:
    """The versions that the caller has seen; `None` means any (`If-Match: *`)."""

    tags: frozenset[str] | None

    def require(self, version: int) -> None:
        """Raise RefusedRequestError (412) unless `version` is one that the caller has seen."""
        if self.tags is not None and etag(version) not in self.tags:
            detail = f"it was changed meanwhile and is now version {etag(version)}; read it again"
            raise RefusedRequestError("preconditions.changed", detail, status=412)


def etag(version: int) -> str:
    """Return the strong entity tag of a version number."""
    return f'"{version}"'


def tag(response: Response, version: int) -> None:
    """Tell the version of what is answered."""
    response.headers["ETag"] = etag(version)


def _expectation(
    if_match: Annotated[
        str | None, Header(max_length=1024, description="ETag of the version that was read, or *")
    ] = None,
) -> Expectation:
    if if_match is None:
        raise RefusedRequestError("preconditions.missing", "send If-Match with the ETag that was read", status=428)
    if if_match.strip() == "*":
        return Expectation(None)
    return Expectation(frozenset(part.strip() for part in if_match.split(",")))


def _expectation_if_any(
    if_match: Annotated[
        str | None, Header(max_length=1024, description="ETag of the version that was read; any when left out")
    ] = None,
) -> Expectation:
    return _expectation(if_match or "*")


IfMatch = Annotated[Expectation, Depends(_expectation)]
IfMatchIfAny = Annotated[Expectation, Depends(_expectation_if_any)]
"""For acts that may be done unseen, such as those of scripts: honoured when it is sent."""
