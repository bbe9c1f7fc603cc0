"""Members: whether a package binds a name itself, so that `from package import name` means no submodule."""

from collections.abc import Callable
from enum import Enum

from weft_tasks.resolve.base import Index
from weft_tasks.resolve.python.modules import Module, interface

# (file, specifier) -> the module that the specifier means in that file.
Locate = Callable[[str, str], Module | None]


class Binding(Enum):
    """Whether a module binds a name."""

    BOUND = "bound"
    UNBOUND = "unbound"
    UNKNOWN = "unknown"


def binding_of(index: Index, package: str, name: str, locate: Locate) -> Binding:
    """Whether the `__init__` file binds the name to anything but its own submodule of that name."""
    known = interface(index, package)
    if name in known.bindings:
        return Binding.BOUND
    for specifier, names in known.from_imports:
        # `from . import name` binds the very submodule.
        if name in names and not _is_itself(package, specifier, locate):
            return Binding.BOUND
    for specifier, names in known.from_imports:
        if "*" in names and not name.startswith("_") and name in _starred(index, package, specifier, locate):
            return Binding.BOUND
    return Binding.UNKNOWN if known.dynamic else Binding.UNBOUND


def _is_itself(package: str, specifier: str, locate: Locate) -> bool:
    module = locate(package, specifier)
    return module is not None and package in (module.file, module.stub)


def _starred(index: Index, package: str, specifier: str, locate: Locate) -> frozenset[str]:
    """Names that `from specifier import *` binds in the package, star imports of star imports included."""
    return index.memo(
        ("python star", package, specifier), lambda: frozenset(_star_names(index, package, specifier, locate))
    )


def _star_names(index: Index, package: str, specifier: str, locate: Locate) -> set[str]:
    names: set[str] = set()
    seen = {package}
    pending = [(package, specifier)]
    while pending:
        module = locate(*pending.pop())
        file = module and (module.file or module.stub)
        if not file or file in seen:
            continue
        seen.add(file)
        known = interface(index, file)
        names.update(known.dunder_all or ())
        if known.dunder_all is not None and not known.open_all:
            continue
        names.update(name for name in known.bindings if not name.startswith("_"))
        for source, taken in known.from_imports:
            if "*" in taken:
                pending.append((file, source))
            else:
                names.update(name for name in taken if not name.startswith("_"))
    return names
