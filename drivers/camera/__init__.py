"""Kitchen and other cameras: pictures over RTSP, HTTP, USB or from a file, watched in a process of their own."""

from drivers.camera.camera import open_camera
from drivers.camera.options import CameraOptions
from drivers.contract import DriverSpec

SPEC = DriverSpec(
    name="camera",
    summary="A camera: its health, events with pictures, snapshots",
    options=CameraOptions,
    open=open_camera,
)
