"""Kiosks: a browser that the box starts with the hub's page for the public, watches, and starts anew when it hangs."""

from drivers.contract import DriverSpec
from drivers.terminal.kiosk.kiosk import open_kiosk
from drivers.terminal.kiosk.options import KioskOptions

SPEC = DriverSpec(
    name="terminal.kiosk",
    summary="A terminal for the public: a browser in kiosk mode on this box",
    options=KioskOptions,
    open=open_kiosk,
)
