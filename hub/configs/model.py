"""The tables of configurations, of what boxes report of theirs, and of signed metadata."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class ConfigVersion(Base):
    """One version of what a gateway is to run: the text as its author wrote it, and the release of the agent.

    `bundle` is the id that the gateway names in its state once it runs this: `<version>-<first 12 digits of the text's
    SHA-256>`. An empty `release` leaves the agent as it is.
    """

    __tablename__ = "config_version"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.gateway"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    bundle: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    release: Mapped[str] = mapped_column(String(64), default="")
    author: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class ConfigReport(Base):
    """What a gateway last said of its configuration. `bundle` is what it runs, empty for the file that it came with.

    `outcome` is running, waiting, trying, refused or returned; `about` names the bundle or release.
    """

    __tablename__ = "config_report"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.gateway"), primary_key=True)
    bundle: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    about: Mapped[str] = mapped_column(String(128), default="")
    detail: Mapped[str] = mapped_column(Text, default="")
    agent: Mapped[str] = mapped_column(String(128), default="")
    tree: Mapped[dict[str, Any]] = mapped_column(Json)
    reported_at: Mapped[datetime]


class SignedMetadata(Base):
    """A version of a role's metadata (The Update Framework), as it is served."""

    __tablename__ = "signed_metadata"

    role: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SignedTarget(Base):
    """A small file that metadata names: a configuration, or the profile of a device model. Releases lie on the disk."""

    __tablename__ = "signed_target"

    path: Mapped[str] = mapped_column(String(200), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
