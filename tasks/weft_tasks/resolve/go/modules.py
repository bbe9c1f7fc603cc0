"""The modules of a repository: go.mod and go.work files, and which module paths each folder's files can reach.

Knows no package and no importer's text.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from weft_storage.model.paths import ancestors, basename, decode_text, encode_text, join, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.go.gomod import ModuleFile, Replacement, parse_module, parse_workspace
from weft_tasks.resolve.go.layout import below
from weft_tasks.resolve.go.scopes import Scope, Tier
from weft_tasks.resolve.go.vendored import parse_vendored

# As of this version of the language, a modules.txt lists what a vendor folder may provide.
_LISTED = (1, 23)

# A replacement, and the folder here that it points to; None where it points elsewhere.
_Replaced: TypeAlias = tuple[Replacement, str | None]


class Modules:
    """All modules and workspaces. `problems` are (path of the manifest, sentence)."""

    def __init__(self, files: RepositoryFiles) -> None:
        self.problems: list[tuple[str, str]] = []
        self._files = files
        self._modules: dict[str, ModuleFile] = {}
        self._manifests: dict[str, str] = {}
        self._scopes: dict[str, Scope] = {}
        self._above: dict[str, str | None] = {}
        listings = [path for path in files.named("modules.txt") if basename(parent(path)) == "vendor"]
        self._vendors = {parent(parent(path)): parse_vendored(self._read(path)) for path in listings}
        for path in (*files.named("go.mod"), *self._linked(), *self._stand_ins()):
            self._load(path)
        self._workspaces = {parent(path): parse_workspace(self._read(path)) for path in files.named("go.work")}
        self._uses = {folder: self._used(folder, file) for folder, file in self._workspaces.items()}
        manifests = [(below(folder, "go.work"), file) for folder, file in self._workspaces.items()]
        manifests += [(self._manifests[folder], file) for folder, file in self._modules.items()]
        self._replaced = {path: self._replacements(path, file) for path, file in manifests}
        self.problems += [(path, problem) for path, file in manifests for problem in file.problems]

    def __contains__(self, folder: str) -> bool:
        """Whether a folder begins a module, readable or not."""
        return folder in self._modules

    def folders(self) -> Iterable[tuple[str, str]]:
        """(module path, folder) of every module whose path is known."""
        return ((file.module, folder) for folder, file in self._modules.items() if file.module)

    def scope_name(self, folder: str) -> str:
        """The scope of a folder's files: `module FOLDER`, `workspace FOLDER`; empty where no manifest is above."""
        module = self._module_above(folder)
        start = folder if module is None else module
        workspace = next((each for each in _upward(start) if each in self._uses), None)
        if workspace is not None and (module is None or module in self._uses[workspace]):
            return f"workspace {encode_text(workspace)}"
        return "" if module is None else f"module {encode_text(module)}"

    def scope(self, name: str) -> Scope:
        """The scope of that name; an empty one for a name of earlier days, whose manifest is gone."""
        if name not in self._scopes:
            kind, _, text = name.partition(" ")
            folder = decode_text(text)
            if kind == "workspace" and folder in self._uses:
                self._scopes[name] = self._joined(below(folder, "go.work"), self._uses[folder])
            elif kind == "module" and folder in self._modules:
                self._scopes[name] = self._joined("", [folder])
            else:
                self._scopes[name] = Scope()
        return self._scopes[name]

    def _read(self, path: str) -> bytes:
        source = self._files.read(path)
        if source is None:
            self.problems.append((path, "cannot be read"))
        return source or b""

    def _linked(self) -> Iterator[str]:
        """The go.mod files that are links: no files of their own, and named by none."""
        folders = {parent(path) for path in self._files.paths if path.endswith(".go")}
        folders = folders.union(*map(ancestors, folders))
        manifests = (below(folder, "go.mod") for folder in sorted(folders))
        return (path for path in manifests if path not in self._files.paths and self._files.read(path) is not None)

    def _stand_ins(self) -> Iterator[str]:
        """The vendor.mod files that are passed to `go -modfile` by projects that want no go.mod."""
        for path in self._files.named("vendor.mod"):
            folder = parent(path)
            if folder in self._vendors and self._files.read(below(folder, "go.mod")) is None:
                yield path

    def _load(self, path: str) -> None:
        self._manifests[parent(path)] = path
        self._modules[parent(path)] = parse_module(self._read(path))

    def _here(self, base: str, text: str) -> tuple[str | None, str]:
        """The folder of the module that `text` means from `base`, or None and why."""
        folder = join(base, text)
        if folder is None:
            return None, "is outside the repository"
        # A folder reached through a link is not among the named files.
        if folder not in self._modules and self._files.read(below(folder, "go.mod")) is not None:
            self._load(below(folder, "go.mod"))
        return (folder, "") if folder in self._modules else (None, "is not a module of the repository")

    def _used(self, base: str, workspace: ModuleFile) -> list[str]:
        """The folders of the modules that a go.work uses, each once, in its order."""
        used: dict[str, None] = {}
        for text, line in workspace.uses:
            folder, why = self._here(base, text)
            if folder is None:
                self.problems.append((below(base, "go.work"), f"line {line}: {text!r} {why}"))
            else:
                used[folder] = None
        return list(used)

    def _replacements(self, path: str, file: ModuleFile) -> list[_Replaced]:
        found: list[_Replaced] = []
        for each in file.replacements:
            folder, why = self._here(parent(path), each.target) if each.local else (None, "")
            # The go command reads a folder only when something needs it: stale replacements are common and harmless.
            if why and (each.path in file.requires or join(parent(path), each.target) is None):
                self.problems.append((path, f"line {each.line}: replacement {each.target!r} {why}"))
            found.append((each, folder))
        return found

    def _module_above(self, folder: str) -> str | None:
        """The folder of the module that a folder belongs to."""
        trail: list[str] = []
        found: str | None = None
        for each in _upward(folder):
            if each in self._above:
                found = self._above[each]
                break
            trail.append(each)
            if each in self._modules:
                found = each
                break
        self._above.update(dict.fromkeys(trail, found))
        return found

    def _joined(self, work: str, modules: Sequence[str]) -> Scope:
        """The scope of main modules: those of a go.work, or one alone where `work` is empty."""
        main: dict[str, str] = {}
        required: defaultdict[str, set[str]] = defaultdict(set)
        for module in modules:
            file = self._modules[module]
            if file.module:
                main.setdefault(file.module, module)
            for path, version in file.requires.items():
                required[path].add(version)
        manifests = [*([work] if work else ()), *(self._manifests[module] for module in modules)]
        found = self._replacing(required, [each for path in manifests for each in self._replaced.get(path, ())])
        local = {path: folder for path, folder in found.items() if folder is not None} | main
        elsewhere = {path for path, folder in found.items() if folder is None}
        elsewhere |= {path for path, versions in required.items() if not all(map(_is_placeholder, versions))}
        tiers = (Tier(main), *self._vendor(work, parent(work) if work else modules[0]), Tier(local))
        return Scope(tiers, main, local, frozenset(elsewhere))

    def _vendor(self, work: str, folder: str) -> Iterator[Tier]:
        """The vendor folder beside a manifest, unless its modules.txt is of the other kind: of a workspace or not."""
        vendored = self._vendors.get(folder)
        if vendored is not None and vendored.workspace == bool(work):
            go = self._workspaces[folder].go if work else self._modules[folder].go
            yield Tier({"": below(folder, "vendor")}, whole=True, listed=vendored.packages if go >= _LISTED else None)

    def _replacing(self, required: Mapping[str, set[str]], replaced: Sequence[_Replaced]) -> dict[str, str | None]:
        """Folders of the module paths that are replaced, None where another repository takes their place."""
        # The replacement of one version comes before that of all; sorting keeps a go.work's before a go.mod's.
        found: dict[str, str | None] = {}
        for each, folder in sorted(replaced, key=lambda pair: not pair[0].version):
            versions = required.get(each.path)
            if not (each.version and versions and each.version not in versions):
                found.setdefault(each.path, folder)
        return found


def _upward(folder: str) -> Iterator[str]:
    """The folder and those above it, nearest first."""
    yield folder
    yield from ancestors(folder)


def _is_placeholder(version: str) -> bool:
    """Whether a version says that there is none: people and tools write it for modules that are always replaced."""
    return version == "v0.0.0" or version.startswith("v0.0.0-00010101000000-")
