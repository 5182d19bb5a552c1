"""The shape of media at the HTTP border."""

from pydantic import BaseModel, Field


class MediaOut(BaseModel):
    """A picture that is kept."""

    sha256: str = Field(description="Its name: /media/{sha256}")
    content_type: str
    size: int
