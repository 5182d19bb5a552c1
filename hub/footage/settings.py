"""Settings of footage."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hub.footage.retention import CATEGORIES, LEAST_DAYS


class FootageSection(BaseModel):
    """Recorded footage: how long each category is kept, and how long a stated reason opens it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_days: dict[str, Annotated[float, Field(ge=LEAST_DAYS, le=36_500)]] = Field(
        default_factory=dict,
        description="Days per category where they differ from the table at GET /api/v1/footage-categories; at least 30",
    )
    viewing_minutes: float = Field(60, gt=0, le=1_440, description="Minutes that a viewing with its reason stays open")

    @field_validator("keep_days")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(value) - set(CATEGORIES))
        if unknown:
            raise ValueError(f"no category {', '.join(unknown)}; there are {', '.join(CATEGORIES)}")
        return value
