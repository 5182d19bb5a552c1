"""Shapes of setting up a hub at the HTTP border."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.api.values import Line


class SetupIn(BaseModel):
    """The token of the console, and who becomes the first administrator."""

    model_config = ConfigDict(extra="forbid")

    token: SecretStr = Field(max_length=64, description="As the console shows it; hyphens and case do not matter")
    name: Line = Field(description="Who will use the key")
