"""What a key may do. A route names one scope; `admin` has them all."""

from enum import StrEnum


class Scope(StrEnum):
    """One permission, as it stands in keys and in OpenAPI."""

    ADMIN = "admin"
    KEYS_MANAGE = "keys:manage"
    METRICS_READ = "metrics:read"
    STREAM_READ = "stream:read"
    TELEMETRY_READ = "telemetry:read"
    EVENTS_READ = "events:read"
    MEDIA_READ = "media:read"
    MEDIA_WRITE = "media:write"
    DEVICES_READ = "devices:read"
    DEVICES_WRITE = "devices:write"
    ENROLMENTS_MANAGE = "enrolments:manage"
    COMMANDS_SEND = "commands:send"
    FOOTAGE_READ = "footage:read"
    FOOTAGE_WRITE = "footage:write"
    FOOTAGE_VIEW = "footage:view"
    FOOTAGE_UPLOAD = "footage:upload"
    CUSTODY_READ = "custody:read"
    DOMAIN_READ = "domain:read"
    DOMAIN_WRITE = "domain:write"
    ALERTS_READ = "alerts:read"
    ALERTS_ACT = "alerts:act"
    DEAD_LETTERS_READ = "dead-letters:read"
    DEAD_LETTERS_REPLAY = "dead-letters:replay"
    NOTIFICATIONS_READ = "notifications:read"
    NOTIFICATIONS_WRITE = "notifications:write"
