"""What went wrong, for the person with the phone: what is the case, and what to do."""

from typing import Final, NamedTuple

from edge.enrolment import words as enrolment_words
from edge.enrolment.words import IdentityError
from edge.installer.agents import AgentError
from edge.installer.words import Language, catalogue, in_words
from edge.installer.writing import OfTheHubError
from protocol.errors import (
    ConfigurationError,
    DeviceRefusedError,
    DeviceUnreachableError,
    RefusedRequestError,
    UplinkUnavailableError,
)

_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (OfTheHubError, "of_the_hub"),
    (ConfigurationError, "not_configured"),
    (DeviceRefusedError, "device_refused"),
    (DeviceUnreachableError, "device_unreached"),
    (UplinkUnavailableError, "hub_away"),
    (AgentError, "agent_not_told"),
    (OSError, "disk"),
)


class Problem(NamedTuple):
    """What a person reads."""

    what: str
    remedy: str


def problem_of(error: Exception, language: Language) -> Problem:
    """Put an error into words."""
    if isinstance(error, IdentityError):
        return Problem(enrolment_words.in_words(language, error.code, **error.facts), "")
    if isinstance(error, RefusedRequestError):
        code = f"refused.{error.rule}"
        return _said(code if f"problem.{code}" in catalogue(language) else "refused", language, error.detail)
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "unknown")
    return _said(code, language, str(error))


def told(code: str, language: Language, **facts: object) -> Problem:
    """Return a problem of the page's own."""
    what = in_words(language, f"problem.{code}", **facts)
    remedy = f"problem.{code}.remedy"
    return Problem(what, in_words(language, remedy, **facts) if remedy in catalogue(language) else "")


def _said(code: str, language: Language, reason: str) -> Problem:
    return told(code, language, reason=reason[:400])
