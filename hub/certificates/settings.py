"""Settings of what enrolled boxes reach."""

from datetime import timedelta
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_DOOR_PORT: Final = 8443
_MQTTS_PORT: Final = 8883
_ANYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - looked for, not listened on


class TlsSettings(BaseModel):
    """What enrolled boxes reach: MQTT and HTTPS over TLS, under certificates of the hub's own authority."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether boxes can be enrolled and served over TLS")
    host: str = Field("127.0.0.1", description="Address to listen on; loopback unless a site opens it on purpose")
    port: int | None = Field(
        None, ge=0, le=65535, description="HTTPS port; left out: 8443, or a free one where `http.port` is 0"
    )
    mqtts_port: int | None = Field(
        None, ge=0, le=65535, description="MQTT port; left out: 8883, or a free one where `broker.mqtt_port` is 0"
    )
    names: tuple[str, ...] = Field(
        (), description="Names and addresses by which boxes reach this hub; the first is told to them; empty: `host`"
    )
    public_url: str = Field(
        "", pattern=r"^(https://[^\s/@]+)?$", description="HTTPS address told to boxes, when it differs from the above"
    )
    broker_url: str = Field(
        "",
        pattern=r"^(mqtts://[^\s/@]+)?$",
        description="MQTT address told to boxes, when it differs or the broker is not the embedded one",
    )
    certificate_days: float = Field(90, gt=0, le=825, description="Days that a certificate is valid")

    @model_validator(mode="after")
    def _has_a_name(self) -> Self:
        if self.enabled and not self.names and self.host in _ANYWHERE:
            raise ValueError("`names`: by which name do boxes reach a hub that listens on every address?")
        return self

    @property
    def life(self) -> timedelta:
        """How long a certificate is valid."""
        return timedelta(days=self.certificate_days)

    @property
    def all_names(self) -> tuple[str, ...]:
        """What the hub's certificate vouches for; the first is told to boxes."""
        return self.names or (self.host,)

    def door_port(self, http_port: int) -> int:
        """Return the HTTPS port to listen on, beside this ordinary port; 0 takes a free one."""
        return self.port if self.port is not None else _DOOR_PORT if http_port else 0

    def broker_port(self, mqtt_port: int) -> int:
        """Return the MQTT port to listen on, beside this plain one; 0 takes a free one."""
        return self.mqtts_port if self.mqtts_port is not None else _MQTTS_PORT if mqtt_port else 0


def bracketed(host: str) -> str:
    """Return a host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
