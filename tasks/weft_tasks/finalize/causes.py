"""Why the imports of a file lead elsewhere than before: which question of it is answered otherwise. Knows no store."""

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from weft_storage.model.files import ChangeKind
from weft_storage.model.languages import Family
from weft_storage.model.paths import ancestors, parent
from weft_storage.model.runs import ImporterRow
from weft_storage.model.states import Cause, CauseKind
from weft_tasks.finalize.keys import key_hash


@dataclass(frozen=True, slots=True)
class Questions:
    """What changed between two runs as far as resolution asks for it: `keys` of the index that are answered otherwise,
    the paths `before` and `now`, changed files, and the manifests of each family."""

    keys: Collection[str]
    before: Collection[str]
    now: Collection[str]
    changes: Mapping[str, ChangeKind]
    manifests: Mapping[Family, Collection[str]]


def causes(
    importers: Collection[str],
    before: Mapping[str, ImporterRow],
    after: Mapping[str, ImporterRow],
    questions: Questions,
) -> dict[str, Cause]:
    """For each importer that was resolved to other edges what made it so."""
    by_hash = {key_hash(key): key for key in sorted(questions.keys, reverse=True)} if importers else {}
    return {path: _cause(path, before[path], after[path], questions, by_hash) for path in importers}


def _cause(
    importer: str, before: ImporterRow, after: ImporterRow, questions: Questions, by_hash: Mapping[int, str]
) -> Cause:
    old, new = ({edge.imported for edge in row.edges} for row in (before, after))
    for path in sorted(new - old):
        if path in questions.now and path not in questions.before:
            return Cause(CauseKind.CAME, path)
    for path in sorted(old - new):
        if path in questions.before and path not in questions.now:
            return Cause(CauseKind.WENT, path)
    asked = [by_hash[each] for each in array("I", after.reads) if each in by_hash]
    by_kind = {
        kind: sorted(key[2:] for key in asked if key.startswith(kind)) for kind in ("f:", "i:", "a:", "d:", "e:")
    }
    if by_kind["f:"]:
        return _of_path(by_kind["f:"][0], questions)
    if by_kind["a:"] and (manifest := _manifest(importer, by_kind["a:"], questions)):
        return Cause(CauseKind.MANIFEST, manifest)
    if by_kind["i:"]:
        return Cause(CauseKind.INTERFACE, by_kind["i:"][0])
    if by_kind["d:"] or by_kind["e:"]:
        return _of_path((by_kind["d:"] or by_kind["e:"])[0], questions)
    return _of_nearest(importer, questions) if by_kind["a:"] else Cause(CauseKind.SETTINGS)


def _of_path(path: str, questions: Questions) -> Cause:
    """A file or folder came, or went."""
    if path in questions.now:
        return Cause(CauseKind.CAME, path)
    inside = f"{path}/" if path else ""
    came = path not in questions.before and any(each.startswith(inside) for each in questions.now if inside)
    return Cause(CauseKind.CAME if came else CauseKind.WENT, path)


def _manifest(importer: str, answers: Sequence[str], questions: Questions) -> str:
    """The changed manifest that is nearest above an importer, else any; "" where none has changed."""
    families = {Family(answer.partition(":")[0]) for answer in answers}
    manifests = {path for family in families for path in questions.manifests.get(family, ())}
    changed = sorted(path for path in manifests if path in questions.changes)
    above = (importer, *ancestors(importer))
    nearest = [path for path in changed if parent(path) in above]
    return max(nearest, key=lambda path: len(parent(path))) if nearest else (changed or [""])[0]


def _of_nearest(importer: str, questions: Questions) -> Cause:
    """The path that came or went and has most in common with the importer's: what made an answer another one."""
    changed = [path for path, change in questions.changes.items() if change is not ChangeKind.MODIFIED]
    if not changed:
        return Cause(CauseKind.SETTINGS)
    above = set(ancestors(importer))
    path = min(changed, key=lambda each: (-len(above & set(ancestors(each))), each))
    return _of_path(path, questions)
