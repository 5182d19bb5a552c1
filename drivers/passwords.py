"""Passwords of devices: options name the place where one is, and it is fetched only when the device is opened."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from drivers.contract import Options
from protocol.errors import ConfigurationError


class PasswordOptions(Options, frozen=True, kw_only=True):
    """Options of a device that wants a password: it stands in the file or in the environment variable that is named."""

    password_file: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    password_env: Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None

    def __post_init__(self) -> None:
        """Refuse two places for one password."""
        if self.password_file and self.password_env:
            raise ValueError("give `password_file` or `password_env`, not both")

    def password(self) -> str | None:
        """Fetch the password, None when no place is named; raise ConfigurationError when the place has none."""
        if self.password_env:
            if (secret := os.environ.get(self.password_env)) is None:
                raise ConfigurationError(f"the environment has no {self.password_env}, which `password_env` names")
            return secret
        if self.password_file:
            try:
                return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(f"`password_file` {self.password_file} cannot be read") from error
        return None
