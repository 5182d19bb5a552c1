"""Settings of the custody log."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class CustodySection(BaseModel):
    """The log of what was done with evidence: how often it is sealed, and who stamps the time on the seals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint_every_s: float = Field(
        600, ge=1, le=86_400, description="How often a grown log is sealed by a signed checkpoint"
    )
    tsa_url: str = Field(
        "", pattern=r"^(https?://[^\s@]+)?$", description="Time-stamping authority (RFC 3161) asked for each checkpoint"
    )
    tsa_roots: Path | None = Field(
        None, description="PEM file of the root certificates that the authority's stamps are checked against"
    )
