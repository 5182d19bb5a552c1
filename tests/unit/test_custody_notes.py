"""Signed checkpoints: what was signed is read, and nothing else."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hub.custody.notes import BadNoteError, Checkpoint, VerifierKey, opened
from hub.custody.signing import KEY_FILE, Signer, open_signer
from protocol.errors import ConfigurationError

ROOT = bytes(range(32))
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOTE = SIGNER.sign(42, ROOT)


def test_a_checkpoint_is_read_as_it_was_signed() -> None:
    assert opened(NOTE, SIGNER.verifier) == Checkpoint(SIGNER.verifier.name, 42, ROOT)
    assert NOTE.split("\n")[:3] == [SIGNER.verifier.name, "42", base64.b64encode(ROOT).decode()]


def test_other_signatures_beside_ours_do_no_harm() -> None:
    """c2sp.org/signed-note: signatures of unknown keys are ignored."""
    stranger = Signer(Ed25519PrivateKey.generate())
    foreign = stranger.sign(1, ROOT).splitlines()[-1]
    both = NOTE + foreign + "\n"
    assert opened(both, SIGNER.verifier).size == 42
    with pytest.raises(BadNoteError):
        opened(both, stranger.verifier)


def test_a_key_names_its_own_id() -> None:
    assert VerifierKey.parsed(str(SIGNER.verifier)) == SIGNER.verifier
    name, _, rest = str(SIGNER.verifier).partition("+")
    with pytest.raises(BadNoteError):
        VerifierKey.parsed(f"{name}x+{rest}")


@given(place=st.integers(0, len(NOTE) - 1), letter=st.characters(codec="utf-8"))
def test_no_letter_can_be_changed(place: int, letter: str) -> None:
    changed = NOTE[:place] + letter + NOTE[place + 1 :]
    if changed != NOTE:
        with pytest.raises(BadNoteError):
            opened(changed, SIGNER.verifier)


@given(text=st.text(max_size=300))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadNoteError):
        opened(text, SIGNER.verifier)
    with pytest.raises(BadNoteError):
        VerifierKey.parsed(text)


def test_the_key_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    first = open_signer(tmp_path)
    assert open_signer(tmp_path).verifier == first.verifier
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_stops_the_hub(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(ConfigurationError, match=KEY_FILE):
        open_signer(tmp_path)
