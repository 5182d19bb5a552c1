"""Logs are events with facts: one renderer for people at a terminal, JSON lines everywhere else."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET = ("password", "secret", "token", "api_key", "authorization")


def configure(
    *, program: str, level: str = "info", json_lines: bool | None = None, also: logging.Handler | None = None
) -> None:
    """Set up logging for this process, to standard error, and as JSON to a handler of the caller's.

    `json_lines` left out means: for people when standard error is a terminal, else JSON.
    """
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    json_renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

    def formatter(renderer: structlog.typing.Processor) -> logging.Formatter:
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(json_renderer if as_json else structlog.dev.ConsoleRenderer()))
    root = logging.getLogger()
    root.handlers = [handler]
    if also is not None:
        also.setFormatter(formatter(json_renderer))
        root.addHandler(also)
    root.setLevel(level.upper())
    structlog.contextvars.bind_contextvars(program=program)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; call it with an event name and facts."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _without_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what is named like a secret, should one ever be logged by mistake."""
    for key in event:
        if any(word in key for word in _SECRET):
            event[key] = "***"
    return event
