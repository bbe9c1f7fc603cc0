"""The modules of a repository: go.mod and go.work files, and which module paths each folder's files can reach.

Knows no package and no importer's text.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from weft_storage.model.paths import ancestors, decode_text, encode_text, join, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.go.gomod import ModuleFile, Replacement, parse_module, parse_workspace

# A replacement, and the folder here that it points to; None where it points elsewhere.
_Replaced: TypeAlias = tuple[Replacement, str | None]


@dataclass
class Scope:
    """The modules that imports of one module or workspace can lead to.

    `main` and `local` map module paths to folders: the main modules, and these with the replacements. `published`
    are the module paths that another repository provides. `vendor` is the vendor folder, if it counts.
    """

    main: dict[str, str] = field(default_factory=dict)
    local: dict[str, str] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    vendor: str | None = None


class Modules:
    """All modules and workspaces. `problems` are (path of the manifest, sentence)."""

    def __init__(self, files: RepositoryFiles) -> None:
        self.problems: list[tuple[str, str]] = []
        self._files = files
        self._modules: dict[str, ModuleFile] = {}
        self._scopes: dict[str, Scope] = {}
        self._above: dict[str, str | None] = {}
        for path in files.named("go.mod"):
            self._load(parent(path))
        workspaces = {parent(path): parse_workspace(self._read(path)) for path in files.named("go.work")}
        self._uses = {folder: self._used(folder, file) for folder, file in workspaces.items()}
        manifests = [(_file(folder, "go.work"), file) for folder, file in workspaces.items()]
        manifests += [(_file(folder, "go.mod"), file) for folder, file in self._modules.items()]
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
                manifests = [_file(folder, "go.work"), *(_file(each, "go.mod") for each in self._uses[folder])]
                self._scopes[name] = self._joined(folder, self._uses[folder], manifests)
            elif kind == "module" and folder in self._modules:
                self._scopes[name] = self._joined(folder, [folder], [_file(folder, "go.mod")])
            else:
                self._scopes[name] = Scope()
        return self._scopes[name]

    def _read(self, path: str) -> bytes:
        source = self._files.read(path)
        if source is None:
            self.problems.append((path, "cannot be read"))
        return source or b""

    def _load(self, folder: str) -> None:
        self._modules[folder] = parse_module(self._read(_file(folder, "go.mod")))

    def _here(self, base: str, text: str) -> tuple[str | None, str]:
        """The folder of the module that `text` means from `base`, or None and why."""
        folder = join(base, text)
        if folder is None:
            return None, "is outside the repository"
        # A folder reached through a link is not among the named files.
        if folder not in self._modules and self._files.read(_file(folder, "go.mod")) is not None:
            self._load(folder)
        return (folder, "") if folder in self._modules else (None, "is not a module of the repository")

    def _used(self, base: str, workspace: ModuleFile) -> list[str]:
        """The folders of the modules that a go.work uses, each once, in its order."""
        used: dict[str, None] = {}
        for text, line in workspace.uses:
            folder, why = self._here(base, text)
            if folder is None:
                self.problems.append((_file(base, "go.work"), f"line {line}: {text!r} {why}"))
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

    def _joined(self, folder: str, modules: Sequence[str], manifests: Sequence[str]) -> Scope:
        """The scope of main modules, with the vendor folder of `folder` and the replacements of the manifests."""
        vendor = _file(folder, "vendor")
        scope = Scope(vendor=vendor if f"{vendor}/modules.txt" in self._files.paths else None)
        required: defaultdict[str, set[str]] = defaultdict(set)
        for module in modules:
            file = self._modules[module]
            if file.module:
                scope.main.setdefault(file.module, module)
            for path, version in file.requires.items():
                required[path].add(version)
        scope.local.update(scope.main)
        scope.published.update(path for path, versions in required.items() if not all(map(_is_placeholder, versions)))
        self._replace(scope, required, [each for manifest in manifests for each in self._replaced.get(manifest, ())])
        return scope

    def _replace(self, scope: Scope, required: dict[str, set[str]], replaced: Sequence[_Replaced]) -> None:
        # The replacement of one version comes before that of all; sorting keeps a go.work's before a go.mod's.
        done: set[str] = set()
        for each, folder in sorted(replaced, key=lambda pair: not pair[0].version):
            versions = required.get(each.path)
            if each.path in done or (each.version and versions and each.version not in versions):
                continue
            done.add(each.path)
            if folder is None:
                scope.published.add(each.path)
            else:
                scope.local.setdefault(each.path, folder)


def _upward(folder: str) -> Iterator[str]:
    """The folder and those above it, nearest first."""
    yield folder
    yield from ancestors(folder)


def _file(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_placeholder(version: str) -> bool:
    """Whether a version says that there is none: people and tools write it for modules that are always replaced."""
    return version == "v0.0.0" or version.startswith("v0.0.0-00010101000000-")
