"""The process that looks into one clip: `python -m drivers.recorder.probe_child CLIP`. It prints what it found."""

import os
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import av
import msgspec

from drivers.recorder.names import shown
from drivers.recorder.probing import Probed

_MEMORY_BYTES: Final = 768 << 20
_CPU_S: Final = 25
_FRAMES: Final = 5
_NICENESS: Final = 10


def look_into(clip: Path) -> Probed:
    """Decode the beginning of a clip, and let it name no other file."""
    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(clip), options={"protocol_whitelist": "file"}) as container:
            stream = next(iter((*container.streams.video, *container.streams.audio)), None)
            if stream is None:
                return Probed(playable=False, reason="it holds neither picture nor sound")
            frames = 0
            for _ in container.decode(stream):
                frames += 1
                if frames == _FRAMES:
                    break
            return Probed(
                playable=frames > 0,
                reason="" if frames else "nothing in it can be decoded",
                codec=stream.codec_context.name,
                width=getattr(stream.codec_context, "width", 0),
                height=getattr(stream.codec_context, "height", 0),
                duration_s=None if container.duration is None else max(0.0, container.duration / av.time_base),
                created_at=_created_at(container.metadata.get("creation_time", "")),
            )
    except (av.FFmpegError, OSError, ValueError) as error:
        return Probed(playable=False, reason=shown(str(error).replace(str(clip), "the clip").encode()))


def _created_at(text: str) -> datetime | None:
    """Read an ISO 8601 time as FFmpeg writes it."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def main() -> None:
    """Look into the clip that is named, with little memory and time."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    os.nice(_NICENESS)
    sys.stdout.write(msgspec.json.encode(look_into(Path(sys.argv[1]))).decode())
    sys.stdout.flush()
    # What a decoder leaves behind must not spoil the answer.
    os._exit(0)


if __name__ == "__main__":
    main()
