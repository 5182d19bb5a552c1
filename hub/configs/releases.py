"""Releases of the agent: a folder of wheels with a lock file, signed as files of the role `targets`.

A release is signed under `releases/<version>/`: `release.json` ({"version", "files"}) names the others. The files
themselves lie below `releases` in the data folder, by their SHA-256.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tuf.api.metadata import TargetFile

from hub.configs.signing import RELEASE_FILE
from protocol.errors import ConfigurationError

FOLDER: Final = "releases"
LOCK: Final = "requirements.lock"
MOST_FILES: Final = 500
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!-]{0,63}")
_WHEEL: Final = re.compile(r"[A-Za-z0-9._+!-]{1,180}\.whl")


def file_of(data: Path, digest: str) -> Path | None:
    """Return the file of a release by its SHA-256, None when there is none."""
    if not _DIGEST.fullmatch(digest):
        return None
    file = data / FOLDER / digest
    return file if file.is_file() else None


def taken_in(data: Path, version: str, wheelhouse: Path) -> Mapping[str, TargetFile]:
    """Copy a release into the data folder and return what is to be signed of it, by path.

    Raises ConfigurationError for a folder that is no release: it holds wheels, among them that of the agent in just
    this version, and `requirements.lock`, which pins each by its hash, as pip's --require-hashes wants it.
    """
    files = _files(version, wheelhouse)
    store = data / FOLDER
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        manifest = Path(folder) / RELEASE_FILE
        manifest.write_text(json.dumps({"version": version, "files": sorted(file.name for file in files)}))
        signed = {}
        for file in (*files, manifest):
            path = f"{FOLDER}/{version}/{file.name}"
            signed[path] = TargetFile.from_file(path, str(file), ["sha256"])
            _keep(file, store / signed[path].hashes["sha256"])
    return signed


def _files(version: str, wheelhouse: Path) -> list[Path]:
    if not _VERSION.fullmatch(version):
        raise ConfigurationError(f"{version[:80]!r} is no version")
    files = sorted(file for file in wheelhouse.iterdir() if file.is_file())
    strange = [file.name for file in files if file.name != LOCK and not _WHEEL.fullmatch(file.name)]
    if strange:
        raise ConfigurationError(f"{wheelhouse}: a release holds wheels and {LOCK}, not {', '.join(strange[:5])}")
    if not (wheelhouse / LOCK).is_file():
        raise ConfigurationError(f"{wheelhouse} has no {LOCK}")
    if not any(file.name.startswith(f"diwang-{version}-") for file in files):
        raise ConfigurationError(f"{wheelhouse} has no wheel of diwang {version}")
    if len(files) > MOST_FILES:
        raise ConfigurationError(f"{wheelhouse}: a release has at most {MOST_FILES} files")
    return files


def _keep(file: Path, kept: Path) -> None:
    """Copy a file so that it is there whole, or not at all."""
    if kept.is_file():
        return
    part = kept.with_suffix(".part")
    with file.open("rb") as reading, part.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    part.replace(kept)
