"""Files that a power cut leaves old or new: what is on the disk, and in which order it came there."""

import os
import stat
from pathlib import Path

import pytest

from protocol.lasting import replace_file, sync_folder


def test_a_file_has_its_new_content_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "note.json"
    for content in (b"old and longer", b"new"):
        replace_file(file, content)
        assert file.read_bytes() == content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_content_is_on_the_disk_before_it_has_the_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "note.json"
    file.write_bytes(b"old")
    seen: list[tuple[bool, bytes]] = []

    def synced(descriptor: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), file.read_bytes()))

    monkeypatch.setattr(os, "fsync", synced)
    replace_file(file, b"new")
    assert seen == [(False, b"old"), (True, b"new")]


def test_a_write_that_fails_or_was_cut_off_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError

    file = tmp_path / "note.json"
    replace_file(file, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError):  # noqa: PT011 - any
            replace_file(file, b"half of what was to be written")
    assert file.read_bytes() == b"old"
    replace_file(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(file)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")
