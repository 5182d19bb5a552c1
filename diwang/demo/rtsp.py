"""The demonstration's cameras: `python -m diwang.demo.rtsp FOLDER PORT` films them once and serves them over RTSP.

Each viewer gets a clip from its first second, again and again, over TCP on the loopback address only.
"""

import asyncio
import signal
import sys
from pathlib import Path

from diwang.demo.scenes import COVERED_CLIP, FROZEN_CLIP, write_clips


def stream_urls(port: int) -> tuple[str, str]:
    """Return the addresses of the camera that gets covered and of the one that freezes."""
    covered, frozen = (f"rtsp://127.0.0.1:{port}/{clip}?play_count=0" for clip in (COVERED_CLIP, FROZEN_CLIP))
    return covered, frozen


async def serve(folder: Path, port: int) -> None:
    """Serve the clips of a folder until cancelled."""
    from aio_rtsp_toolkit import server  # noqa: PLC0415 - only the demonstration's own process needs it

    await server.serve(str(folder), host="127.0.0.1", port=port)


def main() -> None:
    """Film what is not there yet, then serve until SIGTERM."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    write_clips(folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(serve(folder, port))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
