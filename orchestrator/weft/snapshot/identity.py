"""Identities: which content every file has, read only where nothing vouches for it. Knows no facts and no graph."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from time import time_ns

from weft.snapshot.beneath import Signature
from weft.snapshot.contents import ContentError, TreeContents
from weft.snapshot.snapshot import Commit, Disk, Snapshot
from weft.snapshot.statcache import Caches, StatCache
from weft_storage.model.files import Content, Trait
from weft_storage.model.languages import Family, family_of, language_of
from weft_storage.model.settings import Settings

_MINIFIED_NAMES = (".min.js", ".min.mjs", ".min.cjs")
_BATCH = 4096


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


def identify(snapshot: Snapshot, paths: Iterable[str], caches: Caches) -> Identities:
    """The content identity of each of the snapshot's paths that is given.

    A file is read only if neither git nor the stat cache vouches for what it holds; no more than a chunk of it is held.
    What was learned is put into the caches.
    """
    wanted = sorted(set(paths))
    if isinstance(snapshot.source, Commit):
        return _identify_blobs(snapshot, snapshot.source, wanted, caches)
    with TreeContents(snapshot.root) as contents:
        return _TreeIdentifier(snapshot, snapshot.source, contents, caches).identify(wanted)


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


def _identify_blobs(snapshot: Snapshot, commit: Commit, paths: Collection[str], caches: Caches) -> Identities:
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

    def identify(self, paths: Collection[str]) -> Identities:
        vouched = {path: oid for path in paths if (oid := self._vouched(path))}
        known = self._caches.blobs(set(vouched.values()))
        for path in paths:
            oid = vouched.get(path, "")
            self._identify(path, oid, known.get(oid))
        self._learned.flush()
        current = frozenset(self._snapshot.paths)
        self._statcache.save(lambda path: path in current)
        return self._found

    def _vouched(self, path: str) -> str:
        return self._snapshot.oids.get(path) or self._snapshot.converted.get(path, "")

    def _identify(self, path: str, oid: str, blob: Content | None) -> None:
        if path in self._snapshot.skipped:
            self._found.failures[path] = self._snapshot.skipped[path]
            return
        signature = self._contents.signature(path)
        # A vouched file of another size has been converted, or edited since.
        if blob is not None and signature is not None and signature.size == blob.size:
            self._add(path, blob, oid)
        elif not self._find(path, signature):
            self._read(path)

    def _find(self, path: str, signature: Signature | None) -> bool:
        """Whether the stat cache knows the file."""
        entry = self._statcache.find(path, signature) if signature is not None else None
        if entry is None:
            return False
        self._compare(path, signature, entry.content)
        self._add(path, entry.content, entry.oid)
        return True

    def _read(self, path: str) -> None:
        read_at = time_ns()
        oid = self._claim(path)
        try:
            object_format = self._disk.object_format_of(path) if oid else None
            content, name, signature = self._contents.identify(path, object_format)
        except ContentError as error:
            self._found.failures[path] = error.reason
            self._compare(path, None, None)
            return
        self._compare(path, signature, content)
        proved = oid if name == oid else ""
        if proved:
            self._learned.put(oid, content)
        self._statcache.put(path, signature, content, proved, read_at=read_at)
        self._add(path, content, proved)

    def _claim(self, path: str) -> str:
        return self._vouched(path) or self._snapshot.claimed.get(path, "")

    def _compare(self, path: str, signature: Signature | None, content: Content | None) -> None:
        """Notice a file that is not what the snapshot's token was made from."""
        token_content = self._disk.read.get(path)
        if token_content is not None:
            if token_content != content:
                self._found.changed.add(path)
        elif path in self._signatures and self._signatures[path] != signature:
            self._found.changed.add(path)

    def _add(self, path: str, content: Content, oid: str) -> None:
        self._found.contents[path] = content
        if oid:
            self._found.oids[path] = oid
