"""Device models from files: those that come with the hub, and those of a site, one JSON or TOML file each."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from hub.device_models import repository
from hub.device_models.schemas import DeviceModelIn
from hub.storage.database import Database
from protocol import logs
from protocol.clock import Clock
from protocol.errors import ConfigurationError

log = logs.get(__name__)

SHIPPED: Final = Path(__file__).parent / "catalogue"
FOLDER: Final = "device-models"
"""Of the data folder: a site's own."""

FILE: Final = "file"
API: Final = "api"
_LARGEST: Final = 1024 * 1024
_SUFFIXES: Final = {".json", ".toml"}


def read(path: Path) -> DeviceModelIn:
    """Read one file. Raises ConfigurationError that names it and what is wrong."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigurationError(f"{path}: more than {_LARGEST} bytes")
        text = path.read_text(encoding="utf-8")
        return DeviceModelIn.model_validate(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise ConfigurationError(f"{path}: " + "; ".join(lines)) from error


async def load(database: Database, clock: Clock, data: Path) -> None:
    """Take in the models of both folders. A file of the site stands for the shipped one of the same name.

    A file that cannot be used is told in the log and left out: a slip in one must not stop the hub.
    """
    models = {model.model: model for folder in (SHIPPED, data / FOLDER) for model in _folder(folder)}
    async with database.write() as session:
        known = await repository.held(session, sorted(models))
        for name, model in sorted(models.items()):
            document, row = model.document(), known.get(name)
            fields = {"document": document, "origin": FILE, "changed_at": clock.now(), "changed_by": FILE}
            if row is None:
                await repository.add_new(session, {"model": name, "version": 1, **fields})
            elif row.origin == FILE and row.document != document:
                for field, value in fields.items():
                    setattr(row, field, value)
                row.version += 1


def _folder(folder: Path) -> Iterator[DeviceModelIn]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix not in _SUFFIXES:
            continue
        try:
            yield read(path)
        except ConfigurationError as error:
            log.warning("device_model_refused", reason=str(error))
