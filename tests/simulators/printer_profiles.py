"""Profiles of emulated printers: like real ones, and ten times as fast, so that a test need not wait for paper."""

from pathlib import Path

_PACE = "[pace]\nbytes_per_second = 100_000\nlead_bytes = 3_000\n"
_GATT = '[[bluetooth]]\nservice = "000018f0-0000-1000-8000-00805f9b34fb"\nwrite = "00002af1-0000-1000-8000-00805f9b34fb"\nnotify = "00002af0-0000-1000-8000-00805f9b34fb"\n'  # noqa: E501
_ANSWERS = {"quick": '["status", "completion"]', "quick-status": '["status"]', "quick-silent": "[]"}


def write(folder: Path) -> Path:
    """Write them; the folder is for DIWANG_FIRMWARE_CONFIGS."""
    printers = folder / "printers"
    printers.mkdir(parents=True, exist_ok=True)
    for name, answers in _ANSWERS.items():
        (printers / f"{name}.toml").write_text(_profile("escpos", answers))
    for dialect in ("tspl", "cpcl", "zpl"):
        (printers / f"quick-{dialect}.toml").write_text(_profile(dialect, _ANSWERS["quick"]))
    return folder


def _profile(dialect: str, answers: str) -> str:
    return (
        'maker = "none"\nmodel = "emulated"\nsummary = "An emulated printer"\n'
        'sources = ["tests/simulators/printer.py"]\n'
        f'dialect = "{dialect}"\npaper_mm = 58\nwidth = 384\nnames = ["MTP-"]\ntcp_port = 9100\nanswers = {answers}\n'
        f"{_PACE}{_GATT}"
    )
