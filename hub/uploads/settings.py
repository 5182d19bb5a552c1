"""Settings of uploads."""

from pydantic import BaseModel, ConfigDict, Field


class UploadsSection(BaseModel):
    """Resumable uploads of recorded footage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest_mb: int = Field(16_384, ge=1, description="Largest file that is taken, in MiB")
    reserve_mb: int = Field(
        1_024, ge=0, description="Room on the disk that uploads leave free, in MiB: the stores need it"
    )
    expire_days: float = Field(14, gt=0, description="Days without a byte after which an unfinished upload is given up")
    unfinished_per_sender: int = Field(500, ge=1, description="Most unfinished uploads of one gateway or key")
    silence_s: float = Field(30, gt=0, description="Seconds without a byte after which a request is ended")

    @property
    def largest_bytes(self) -> int:
        """Largest file in bytes."""
        return self.largest_mb * 1024 * 1024

    @property
    def reserve_bytes(self) -> int:
        """Room to leave free in bytes."""
        return self.reserve_mb * 1024 * 1024
