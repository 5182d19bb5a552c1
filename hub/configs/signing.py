"""The signed metadata of the fleet: roles of The Update Framework (specification 1.0), kept in the relational store.

One repository for all boxes. `targets` names the releases of the agent itself and delegates everything else to
`configs-00` … `configs-3f`, by the hash of a file's path, so that no file of metadata grows with the fleet. `snapshot`
and `timestamp` bind the versions together and say how fresh they are: a box refuses what is older than LIFE says.

    async with database.write() as session:
        signing = await Signing.begun(session, keys, clock)     # makes the repository when there is none yet
        await signing.put({"g1/config.toml": Target(b"…", {})})
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self, TypeVar

from securesystemslib.signer import CryptoSigner
from sqlalchemy.ext.asyncio import AsyncSession
from tuf.api.metadata import (
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

from hub.configs import repository
from hub.configs.keys import SigningKeys
from hub.configs.model import SignedMetadata
from protocol.clock import Clock

BIN_BITS: Final = 6
BINS: Final = "configs"
LIFE: Final = {
    Root.type: timedelta(days=730),
    Targets.type: timedelta(days=365),
    Snapshot.type: timedelta(days=14),
    Timestamp.type: timedelta(days=1),
    BINS: timedelta(days=90),
}
"""How long metadata counts after it was signed; it is signed anew when half of that is over."""

KEPT_VERSIONS: Final = 10
RELEASE_FILE: Final = "release.json"
_RELEASE: Final = re.compile(rf"releases/([^/]+)/{re.escape(RELEASE_FILE)}")
_BINS: Final = SuccinctRoles([], 1, BIN_BITS, BINS)

RoleT = TypeVar("RoleT", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be signed. `facts` travel with its hash, and are signed with it."""

    content: bytes
    facts: Mapping[str, Any]


class Signing:
    """Writes metadata with the keys of one hub, within one transaction that keeps other hubs from writing.

    Every method raises ConfigurationError when a key that it wants is not on this hub.
    """

    def __init__(self, session: AsyncSession, keys: SigningKeys, clock: Clock) -> None:
        self._session = session
        self._keys = keys
        self._now = clock.now().replace(microsecond=0)
        self._root: Metadata[Root]
        self._targets: Metadata[Targets]
        self._snapshot: Metadata[Snapshot]
        self._timestamp: Metadata[Timestamp]

    @classmethod
    async def begun(cls, session: AsyncSession, keys: SigningKeys, clock: Clock) -> Self:
        """Begin to write: read what binds everything together, or make the repository with its keys."""
        signing = cls(session, keys, clock)
        row = await repository.newest_metadata(session, Root.type, to_write=True)
        if row is None:
            await signing._make()
        else:
            signing._root = Metadata[Root].from_bytes(row.content)
            signing._targets = await signing._read(Targets.type)
            signing._snapshot = await signing._read(Snapshot.type)
            signing._timestamp = await signing._read(Timestamp.type)
        return signing

    async def put(self, targets: Mapping[str, Target]) -> None:
        """Sign small files into the bins that answer for them."""
        for role in sorted({_BINS.get_role_for_target(path) for path in targets}):
            metadata: Metadata[Targets] = await self._read(role)
            for path, target in targets.items():
                if _BINS.get_role_for_target(path) == role:
                    metadata.signed.targets[path] = _file(path, target)
            await self._write(role, metadata)
        await self._bind()

    async def release(self, files: Mapping[str, TargetFile]) -> None:
        """Sign the files of a release of the agent, with the key of `targets`."""
        self._targets.signed.targets.update(files)
        await self._write(Targets.type, self._targets)
        await self._bind()

    def releases(self) -> list[str]:
        """Return the versions of the agent that are signed."""
        found = (_RELEASE.fullmatch(path) for path in self._targets.signed.targets)
        return sorted(match[1] for match in found if match)

    def knows_release(self, version: str) -> bool:
        """Tell whether a version of the agent is signed."""
        return f"releases/{version}/{RELEASE_FILE}" in self._targets.signed.targets

    async def refresh(self) -> dict[str, timedelta]:
        """Sign anew what is past half of its life; return what is left of roles whose key is not on this hub."""
        left: dict[str, timedelta] = {}
        if self._is_old(Root.type, self._root):
            if signer := self._signer(Root.type):
                await self._replace_root([signer])
            else:
                left[Root.type] = self._root.signed.expires - self._now
        changed = self._is_old(Snapshot.type, self._snapshot)
        for role in (Targets.type, *_BINS.get_roles()):
            metadata: Metadata[Targets] = self._targets if role == Targets.type else await self._read(role)
            if not self._is_old(role, metadata):
                continue
            if self._signer(role):
                await self._write(role, metadata)
                changed = True
            else:
                left[role] = metadata.signed.expires - self._now
        if changed:
            await self._bind()
        elif self._is_old(Timestamp.type, self._timestamp):
            await self._write(Timestamp.type, self._timestamp)
        return left

    async def exchange(self, role: str) -> frozenset[str]:
        """Give a role a new key, and have everything that it signed signed anew; return the ids that count no longer.

        `root` answers for all roles, with its old and its new key when it is its own; `targets` for the bins.
        """
        before = frozenset(self._trusted(role))
        signers = [self._wanted(Targets.type if role == BINS else Root.type)]
        fresh = self._keys.make(role)
        if role == BINS:
            self._targets.signed.delegations = _delegations(fresh)
            await self._write(Targets.type, self._targets)
            for name in _BINS.get_roles():
                await self._write(name, await self._read(name))
        else:
            for keyid in before:
                self._root.signed.revoke_key(keyid, role)
            self._root.signed.add_key(fresh.public_key, role)
            await self._replace_root([*signers, fresh] if role == Root.type else signers)
            if role == Targets.type:
                await self._write(Targets.type, self._targets)
        await self._bind()
        return before

    async def _make(self) -> None:
        signers = {role: self._keys.make(role) for role in LIFE}
        self._root = Metadata(Root(version=1, expires=self._now + LIFE[Root.type], consistent_snapshot=True))
        for role in (Root.type, Targets.type, Snapshot.type, Timestamp.type):
            self._root.signed.add_key(signers[role].public_key, role)
        self._root.signed.version = 0
        await self._replace_root([signers[Root.type]])
        self._snapshot, self._timestamp = Metadata(Snapshot()), Metadata(Timestamp())
        self._targets = Metadata(Targets(delegations=_delegations(signers[BINS])))
        for unwritten in (self._snapshot, self._timestamp, self._targets):
            unwritten.signed.version = 0
        await self._write(Targets.type, self._targets)
        for name in _BINS.get_roles():
            empty = Metadata(Targets())
            empty.signed.version = 0
            await self._write(name, empty)
        await self._bind()

    async def _replace_root(self, signers: Collection[CryptoSigner]) -> None:
        self._root.signed.version += 1
        self._root.signed.expires = self._now + LIFE[Root.type]
        self._root.signatures.clear()
        for signer in signers:
            self._root.sign(signer, append=True)
        version = self._root.signed.version
        self._session.add(SignedMetadata(role=Root.type, version=version, content=self._root.to_bytes()))

    async def _bind(self) -> None:
        await self._write(Snapshot.type, self._snapshot)
        self._timestamp.signed.snapshot_meta = MetaFile(version=self._snapshot.signed.version)
        await self._write(Timestamp.type, self._timestamp)

    async def _write(self, role: str, metadata: Metadata[RoleT]) -> None:
        """Write the next version of a role, and note it in the snapshot to come."""
        metadata.signed.version += 1
        metadata.signed.expires = self._now + LIFE[_kind(role)]
        metadata.sign(self._wanted(role))
        version = metadata.signed.version
        self._session.add(SignedMetadata(role=role, version=version, content=metadata.to_bytes()))
        if role not in {Snapshot.type, Timestamp.type}:
            self._snapshot.signed.meta[f"{role}.json"] = MetaFile(version=version)
        await repository.forget_metadata(self._session, role, version - KEPT_VERSIONS)

    async def _read(self, role: str) -> Metadata[Any]:
        row = await repository.newest_metadata(self._session, role)
        assert row is not None, role  # noqa: S101 - all roles are made together
        return Metadata.from_bytes(row.content)

    def _trusted(self, role: str) -> list[str]:
        if _kind(role) != BINS:
            return self._root.signed.roles[role].keyids
        delegations = self._targets.signed.delegations
        assert delegations is not None  # noqa: S101 - made with them
        assert delegations.succinct_roles is not None  # noqa: S101 - as above
        return delegations.succinct_roles.keyids

    def _signer(self, role: str) -> CryptoSigner | None:
        return self._keys.find(_kind(role), self._trusted(role))

    def _wanted(self, role: str) -> CryptoSigner:
        signer = self._signer(role)
        if signer is None:
            raise self._keys.missing(_kind(role), self._trusted(role))
        return signer

    def _is_old(self, role: str, metadata: Metadata[Any]) -> bool:
        return bool(metadata.signed.expires - self._now < LIFE[_kind(role)] / 2)


def _kind(role: str) -> str:
    return BINS if role.startswith(f"{BINS}-") else role


def _delegations(signer: CryptoSigner) -> Delegations:
    key = signer.public_key
    return Delegations({key.keyid: key}, succinct_roles=SuccinctRoles([key.keyid], 1, BIN_BITS, BINS))


def _file(path: str, target: Target) -> TargetFile:
    file = TargetFile.from_data(path, target.content, ["sha256"])
    file.unrecognized_fields["custom"] = dict(target.facts)
    return file
