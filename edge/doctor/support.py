"""A bundle for whoever supports the box: what it is, how it stands, what its log says. No secret is in it.

Secrets are found by name in the configuration and in the files that it names. They are taken out of the configuration
where they stand, and out of everything else wherever they are found.
"""

import json
import platform
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from edge import config as configuration
from edge import standing as standings
from edge.config_file import table
from edge.doctor.findings import LANGUAGES, Finding, catalogue, in_words
from protocol.errors import ConfigurationError

MASK: Final = "***"
_SECRET_NAME: Final = re.compile(r"passw|pwd|secret|token|key|pin$|credential|auth", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"(\w+://)[^/@\s\"']+@")
_SHORTEST: Final = 4
"""A shorter secret is masked in the configuration alone: elsewhere it would take half the text with it."""
_LOG_LINES: Final = "2000"


def pack(file: Path, findings: Sequence[Finding], target: Path) -> None:
    """Write the bundle of the box of this configuration; nobody but its owner can read it. Raises OSError."""
    try:
        told = table(file)
    except ConfigurationError:
        told = {}  # the findings say what is wrong with it; what cannot be read cannot be masked
    secrets = {each for each in (*_secrets(told), *_broker_password(file)) if len(each) >= _SHORTEST}
    parts = {
        "configuration.json": json.dumps(_masked(told), ensure_ascii=False, indent=2, default=str),
        "standing.json": _standing(file, told),
        "findings.json": msgspec.json.encode(list(findings)).decode(),
        **{f"findings.{language}.txt": "\n".join(_lines(findings, language)) for language in LANGUAGES},
        "system.txt": "\n".join(_system()),
        "log.txt": _log(),
    }
    target.touch(mode=0o600)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in parts.items():
            bundle.writestr(name, _without(text, secrets))


def _lines(findings: Sequence[Finding], language: Any) -> Iterator[str]:  # noqa: ANN401 - one of LANGUAGES
    verdicts = catalogue(language)["verdicts"]
    for each in findings:
        words = in_words(each, language)
        yield f"{verdicts[each.verdict]}: {words.what}"


def _secrets(value: object, name: str = "") -> Iterator[str]:
    """Yield every secret of a configuration: what is named like one, and what addresses carry."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner, name)
    elif _is_secret(name):
        yield str(value)
    elif isinstance(value, str) and "://" in value:
        yield from _of_address(value)


def _of_address(address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    if parts.password:
        yield parts.password
        yield unquote(parts.password)
    for key, value in parse_qsl(parts.query):
        if _is_secret(key):
            yield value


def _broker_password(file: Path) -> Iterator[str]:
    try:
        yield configuration.password(configuration.load_identity(file).hub).reveal()
    except ConfigurationError:
        return


def _masked(value: object, name: str = "") -> object:
    if isinstance(value, dict):
        return {key: _masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, name) for inner in value]
    if _is_secret(name):
        return MASK
    if isinstance(value, str) and "://" in value:
        text = _USER_INFO.sub(rf"\1{MASK}@", value)
        for secret in _of_address(value):
            text = text.replace(secret, MASK)
        return text
    return value


def _is_secret(name: str) -> bool:
    """Tell whether a value of this name is a secret; the name of a file that holds one is not."""
    return bool(_SECRET_NAME.search(name)) and not name.endswith("_file")


def _without(text: str, secrets: set[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _USER_INFO.sub(rf"\1{MASK}@", text)


def _standing(file: Path, told: dict[str, Any]) -> str:
    gateway = told.get("gateway")
    folder = gateway.get("data", "data") if isinstance(gateway, dict) else "data"
    standing = standings.read(file.absolute().parent / str(folder))
    return msgspec.json.encode(standing).decode()


def _system() -> Iterator[str]:
    yield f"{platform.platform()}, Python {platform.python_version()}"
    uptime = Path("/proc/uptime")
    if uptime.exists():
        yield f"up for {float(uptime.read_text().split()[0]):.0f} s"
    yield from sorted(f"{each.metadata['Name']} {each.version}" for each in distributions())


def _log() -> str:
    program = shutil.which("journalctl")
    if program is None:
        return "no journal on this machine"
    command = [program, "--no-pager", "-o", "cat", "-u", "diwang-edge", "-n", _LOG_LINES]
    try:
        ran = subprocess.run(command, capture_output=True, check=False, timeout=20)  # noqa: S603 - our own words
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the journal cannot be read: {error}"
    return ran.stdout.decode("utf-8", "replace") or ran.stderr.decode("utf-8", "replace")
