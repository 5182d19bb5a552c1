"""Every error that Diwang raises on purpose. The tree answers one question: try again?

DiwangError
├── TransientError              try again: the supervisor backs off and restarts
│   ├── DeviceUnreachableError
│   ├── UplinkUnavailableError
│   └── StoreUnavailableError
├── PermanentError              do not try again: report and stop this part
│   ├── ConfigurationError
│   ├── DeviceRefusedError
│   └── UndecodableMessageError
└── RefusedRequestError         the caller is wrong; the API answers 4xx
"""


class DiwangError(Exception):
    """The root of the tree. Never raised itself."""


class TransientError(DiwangError):
    """The same act may succeed later."""


class DeviceUnreachableError(TransientError):
    """A device does not answer, or stopped answering."""


class UplinkUnavailableError(TransientError):
    """The broker cannot be reached, or the link broke."""


class StoreUnavailableError(TransientError):
    """A database is away, full or too slow; nothing was committed."""


class PermanentError(DiwangError):
    """The same act will fail again."""


class ConfigurationError(PermanentError):
    """A setting is wrong; the message names it and says what is expected."""


class DeviceRefusedError(PermanentError):
    """A device answered, and said no."""


class UndecodableMessageError(PermanentError):
    """Bytes from a wire that are not a message of this contract."""

    def __init__(self, reason: str, payload: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.payload = payload


class RefusedRequestError(DiwangError):
    """The caller asked for what cannot be given.

    `rule` is a stable, dotted name of the rule that refuses ("grids.overlap"), `status` the HTTP status it maps to.
    """

    def __init__(self, rule: str, detail: str, *, status: int = 409) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail
        self.status = status
