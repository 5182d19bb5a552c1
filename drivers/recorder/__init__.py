"""Body-worn recorders: what docks as a disk, or waits in the folder or on the FTP server of a vendor's station."""

from drivers.contract import DriverSpec
from drivers.recorder.options import RecorderOptions
from drivers.recorder.recorder import open_recorder

SPEC = DriverSpec(
    name="recorder",
    summary="Docking of body-worn recorders: footage with hashes, gaps, clock offset",
    options=RecorderOptions,
    open=open_recorder,
)
