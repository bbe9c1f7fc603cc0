"""Identities: which content every file has, read only where nothing vouches for it. Knows no facts and no graph."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import time_ns

from weft.snapshot.snapshot import Commit, Disk, Snapshot
from weft.snapshot.statcache import Caches, StatCache
from weft_storage.model.files import Content, Trait
from weft_storage.model.languages import Family, family_of, language_of
from weft_storage.model.settings import Settings
from weft_tasks.contents.beneath import Signature
from weft_tasks.contents.readers import ContentError, TreeContents

_MINIFIED_NAMES = (".min.js", ".min.mjs", ".min.cjs")
_BATCH = 4096
_TICK_NS = 10_000_000  # by which the times of files may lag behind the clock


@dataclass(frozen=True, slots=True)
class Identities:
    """What was found out about files. Every path that was asked for is in `contents` or in `failures` (why).

    `oids` has the files whose content is a git blob, and its id. `changed` are files that differ from
    what the snapshot saw: its token does not stand for these identities then.
    """

    contents: dict[str, Content] = field(default_factory=dict)
    oids: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


def identify(snapshot: Snapshot, paths: Iterable[str], caches: Caches, *, doubted: bool = False) -> Identities:
    """The content identity of each of the snapshot's paths that is given.

    A file is read only if neither git nor the stat cache vouches for what it holds; no more than a chunk of it is held.
    What was learned is put into the caches. Files on disk that are `doubted` are read in any case, and the stat cache
    outranks git for them from then on: git goes on vouching for a file whose conversion was changed after
    its checkout.
    """
    wanted = sorted(dict.fromkeys(paths))
    if isinstance(snapshot.source, Commit):
        return _identify_blobs(snapshot, snapshot.source, wanted, caches)
    with TreeContents(snapshot.root) as contents:
        return _TreeIdentifier(snapshot, snapshot.source, contents, caches).identify(wanted, doubted=doubted)


def skip_reason(path: str, content: Content, settings: Settings) -> str | None:
    """Why no extractor should read a file, None if one should. Minified is what only JavaScript's family can be."""
    if content.trait is Trait.BINARY:
        return "binary"
    if content.trait is Trait.LFS_POINTER:
        return "git lfs pointer"
    if content.size > settings.max_file_size:
        return f"larger than {settings.max_file_size} bytes (max_file_size)"
    language = language_of(path)
    if language is None or family_of(language) is not Family.TYPESCRIPT:
        return None
    return "minified" if content.trait is Trait.MINIFIED or path.endswith(_MINIFIED_NAMES) else None


def _identify_blobs(snapshot: Snapshot, commit: Commit, paths: Sequence[str], caches: Caches) -> Identities:
    oids = {path: snapshot.oids[path] for path in paths if path in snapshot.oids}
    known = caches.blobs(set(oids.values()))
    missing = [oid for oid in dict.fromkeys(oids.values()) if oid not in known]
    reasons: dict[str, str] = {}
    if missing:
        learned = _Learned(caches)
        with commit.objects() as objects:
            for oid, identity in objects.identify(missing):
                if isinstance(identity, str):
                    reasons[oid] = identity
                else:
                    known[oid] = identity
                    learned.put(oid, identity)
        learned.flush()
    found = Identities()
    for path in paths:
        oid = oids.get(path, "")
        if oid in known:
            found.contents[path] = known[oid]
            found.oids[path] = oid
        else:
            found.failures[path] = reasons.get(oid, "there is no such file in the commit")
    return found


class _Learned:
    """Identities of blobs on their way into the cache."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._blobs: dict[str, Content] = {}

    def put(self, oid: str, content: Content) -> None:
        self._blobs[oid] = content
        if len(self._blobs) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        if self._blobs:
            self._caches.put_blobs(self._blobs)
            self._blobs = {}


class _TreeIdentifier:
    """Identities of files on disk, path by path in order."""

    def __init__(self, snapshot: Snapshot, disk: Disk, contents: TreeContents, caches: Caches) -> None:
        self._snapshot = snapshot
        self._disk = disk
        self._signatures = disk.signatures()
        self._contents = contents
        self._caches = caches
        self._statcache = StatCache(caches, snapshot.root)
        self._learned = _Learned(caches)
        self._found = Identities()
        self._blobs: dict[str, Content] = {}

    def identify(self, paths: Sequence[str], *, doubted: bool) -> Identities:
        if doubted:
            for path in paths:
                self._read(path)
        else:
            for path in self._vouched(paths):
                self._look(path)
        self._learned.flush()
        self._statcache.save(frozenset(self._snapshot.paths))
        return self._found

    def _vouched(self, paths: Sequence[str]) -> list[str]:
        """Add the identities of files that are known blobs; the paths of all others."""
        oids = self._snapshot.oids
        self._blobs = self._caches.blobs(set(map(self._git_oid, paths)) - {""})
        others: list[str] = []
        for path in paths:
            oid = oids.get(path)
            content = self._blobs.get(oid) if oid is not None else None
            if oid is None or content is None or path in self._statcache:
                others.append(path)
                continue
            self._found.contents[path] = content
            self._found.oids[path] = oid
        return others

    def _git_oid(self, path: str) -> str:
        return self._snapshot.oids.get(path) or self._snapshot.converted.get(path, "")

    def _look(self, path: str) -> None:
        """Add the identity of a file from whatever vouches for it as it looks now."""
        signature = self._contents.signature(path)
        entry = self._statcache.find(path, signature) if signature is not None else None
        if entry is not None:
            self._add(path, signature, entry.content, entry.oid)
            return
        oid = self._git_oid(path)
        blob = self._blobs.get(oid)
        # Conversions that add or remove bytes have not been at work where the sizes are equal.
        if blob is not None and signature is not None and signature.size == blob.size:
            self._add(path, signature, blob, oid)
        else:
            self._read(path)

    def _read(self, path: str) -> None:
        if path in self._snapshot.skipped:
            self._found.failures[path] = self._snapshot.skipped[path]
            return
        read_at = time_ns()
        vouched = self._git_oid(path)
        oid = vouched or self._snapshot.claimed.get(path, "")
        try:
            object_format = self._disk.object_format_of(path) if oid else None
            content, name, signature = self._contents.identify(path, object_format)
        except ContentError as error:
            self._found.failures[path] = error.reason
            self._compare(path, self._contents.signature(path), None)
            return
        proved = oid if name == oid else ""
        if proved:
            self._learned.put(oid, content)
        if not (vouched and proved):
            self._statcache.put(path, signature, content, proved, read_at=read_at)
        self._add(path, signature, content, proved)

    def _add(self, path: str, signature: Signature | None, content: Content, oid: str) -> None:
        self._found.contents[path] = content
        if oid:
            self._found.oids[path] = oid
        self._compare(path, signature, content)

    def _compare(self, path: str, signature: Signature | None, content: Content | None) -> None:
        """Notice a file that is not what the snapshot's token was made from."""
        if path in self._disk.read:
            changed = self._disk.read[path] != content
        elif path in self._signatures:
            changed = self._signatures[path] != signature
        elif path in self._snapshot.oids and self._found.oids.get(path) == self._snapshot.oids[path]:
            changed = False
        else:
            changed = signature is None or signature.ctime_ns > self._disk.since - _TICK_NS
        if changed:
            self._found.changed.add(path)
