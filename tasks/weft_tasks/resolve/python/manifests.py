"""Manifests: the text of pyproject.toml, setup.cfg, … -> roots and dependencies as written. Knows no files."""

import configparser
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

# Nothing that people write is larger; a larger one would be parsed on every run for nothing.
_MAX_MANIFEST = 2 * 1024 * 1024
# tomllib's time grows with the square of the parts of a dotted key, and with a table's depth for every line in it.
_MAX_TOML_WORK = 20_000_000
# Bounds what the expressions below look at: they start anew at each of these words and look far ahead.
_MAX_SETUP = 256 * 1024
_MAX_SETUP_WORDS = 1000
_MAX_SECTIONS = 5000

_REQUIREMENT = re.compile(r"[ \t]*+([A-Za-z0-9][A-Za-z0-9._-]*+)")
_EGG = re.compile(r"#egg=([A-Za-z0-9][A-Za-z0-9._-]*+)")
_STRING = re.compile(r"""(?:"([^"\\\n]*+)"|'([^'\\\n]*+)')""")
_VALUE = re.compile(r"""(?:"([^"\\\n]*+)"|'([^'\\\n]*+)')(\s*+:)?""")
_PAIR = re.compile(r"""["']([^"'\\\n]*+)["']\s*+:\s*+["']([^"'\\\n]*+)["']""")
_PACKAGE_DIR = re.compile(r"\bpackage_dir\s*+=\s*+(?:dict\s*+\(|\{)([^})]{0,10000}+)[})]")
_FIND_WHERE = re.compile(r"""\bfind(?:_namespace)?_packages\s*+\(\s*+(?:where\s*+=\s*+)?["']([^"'\\\n]*+)["']""")
_PACKAGES = re.compile(r"\b(?:packages|py_modules)\s*+=\s*+\[([^\]]{0,10000}+)\]")
_SETUP_NAME = re.compile(r"""\bname\s*+=\s*+["']([A-Za-z0-9][A-Za-z0-9._-]*+)["']""")
_SETUP_CALL = re.compile(r"\bsetup\s*+\(")
_SETUP_TOOL = re.compile(r"\b(?:setuptools|distutils|skbuild)\b")
_LIST = r"""((?:[^\]"'#]{1,20}+|"[^"\n]{0,200}+"|'[^'\n]{0,200}+'|\#[^\n]{0,300}+){0,2000}+)"""
_SETUP_REQUIRES = re.compile(
    r"\b(?:install_requires|tests_require|setup_requires|requires|requirements)\s*+=\s*+\[" + _LIST + r"\]"
)
_SETUP_EXTRAS = re.compile(r"\bextras_require\s*+=\s*+\{([^}]{0,10000}+)\}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one manifest says; paths as written, relative to its folder.

    `roots` are folders that hold top-level modules and are packaged from; `search` are such folders only for tests and
    tools. `packages` are folders of packages that are named, `renamed` (dotted name, folder) those of packages that are
    called otherwise. `patterns` are globs of roots. `requires` are distributions. `distributes` says that the folder is
    built into a distribution, not merely configured; `imports_tests_alone` that pytest leaves `sys.path` as it is.
    """

    name: str = ""
    roots: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    patterns: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    distributes: bool = False
    imports_tests_alone: bool = False
    problem: str = ""


def read_manifest(basename: str, source: bytes) -> Manifest:
    """What a manifest of that name says. Total: a bad one gives what could be read and a `problem`."""
    if len(source) > _MAX_MANIFEST:
        return Manifest(problem=f"larger than {_MAX_MANIFEST} bytes; not read")
    text = source.decode("utf-8-sig", "replace")
    match basename:
        case "pyproject.toml":
            return _read_toml(text, _from_pyproject)
        case "Pipfile":
            return _read_toml(text, _from_pipfile)
        case "pants.toml":
            return _read_toml(text, _from_pants)
        case "setup.cfg" | "pytest.ini" | "tox.ini":
            return _from_ini(text)
        case "setup.py":
            return _from_setup(text)
    return Manifest(requires=tuple(_requirements(text.splitlines())))


def _read_toml(text: str, read: Any) -> Manifest:
    dots = [line.count(".") for line in text.splitlines()]
    if sum(count * count for count in dots) + max(dots, default=0) * len(dots) > _MAX_TOML_WORK:
        return Manifest(problem="not TOML: keys with too many parts")
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        return Manifest(problem=f"not TOML: {str(error)[:200]}")
    except RecursionError:
        return Manifest(problem="not TOML: nested too deeply")
    manifest: Manifest = read(document)
    return manifest


def _from_pyproject(document: dict[str, Any]) -> Manifest:
    roots: list[str] = []
    packages: list[str] = []
    pytest = _table(document, "tool", "pytest", "ini_options") or _table(document, "tool", "pytest")
    for read in (_setuptools, _hatch, _poetry, _pdm, _maturin, _uv, _flit, _scikit_build):
        more_roots, more_packages = read(document)
        roots += more_roots
        packages += more_packages
    project, poetry = _table(document, "project"), _table(document, "tool", "poetry")
    return Manifest(
        name=_first(_texts(project.get("name")) + _texts(poetry.get("name"))),
        roots=_unique(roots),
        search=_unique(
            [
                *(path for text in _texts(pytest.get("pythonpath")) for path in text.split()),
                *_texts(_table(document, "tool", "ruff").get("src")),
            ]
        ),
        packages=_unique(packages),
        renamed=_renamed(_table(document, "tool", "setuptools", "package-dir").items()),
        requires=_unique(_pyproject_requires(document)),
        distributes=bool(project or poetry or "build-system" in document),
        imports_tests_alone=_imports_alone(" ".join(_texts(pytest.get("addopts")))),
    )


def _setuptools(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    tool = _table(document, "tool", "setuptools")
    roots, packages = _package_dir(_table(tool, "package-dir").items())
    roots += _texts(_table(tool, "packages", "find").get("where"))
    named = tool.get("packages")
    base = roots[0] if roots else "."
    for name in [*_texts(named), *_texts(tool.get("py-modules"))]:
        packages.append(f"{base}/{name.replace('.', '/')}")
    return roots, packages


def _hatch(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    build = _table(document, "tool", "hatch", "build")
    roots: list[str] = []
    packages: list[str] = []
    for table in (_table(build, "targets", "wheel"), build):
        for package in _texts(table.get("packages")):
            packages.append(package)
            roots.append(_above(package))
        sources = table.get("sources")
        written = list(sources) if isinstance(sources, dict) else _texts(sources)
        roots += [source for source in written if isinstance(source, str) and source]
        roots += _texts(table.get("dev-mode-dirs"))
    return roots, packages


def _poetry(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    roots: list[str] = []
    packages: list[str] = []
    named = _table(document, "tool", "poetry").get("packages")
    for each in named if isinstance(named, list) else ():
        if isinstance(each, dict):
            root = _first(_texts(each.get("from"))) or "."
            roots.append(root)
            packages += [f"{root}/{_literal_part(include)}" for include in _texts(each.get("include"))]
    return roots, packages


def _pdm(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    tool = _table(document, "tool", "pdm")
    return _texts(_table(tool, "build").get("package-dir")) + _texts(tool.get("package-dir")), []


def _maturin(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    return _texts(_table(document, "tool", "maturin").get("python-source")), []


def _uv(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    backend = _table(document, "tool", "uv", "build-backend")
    roots = [root or "." for root in _texts(backend.get("module-root"))]
    base = roots[0] if roots else "src"
    return roots, [f"{base}/{name.replace('.', '/')}" for name in _texts(backend.get("module-name"))]


def _flit(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [], [name.replace(".", "/") for name in _texts(_table(document, "tool", "flit", "module").get("name"))]


def _scikit_build(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    named = _table(document, "tool", "scikit-build", "wheel").get("packages")
    packages = [
        each for each in (named.values() if isinstance(named, dict) else _texts(named)) if isinstance(each, str)
    ]
    return [_above(package) for package in packages], packages


def _pyproject_requires(document: dict[str, Any]) -> list[str]:
    project, poetry = _table(document, "project"), _table(document, "tool", "poetry")
    written = _texts(project.get("dependencies")) + _texts(_table(document, "build-system").get("requires"))
    groups = (_table(project, "optional-dependencies"), _table(document, "dependency-groups"))
    for group in (*groups, _table(document, "tool", "pdm", "dev-dependencies")):
        for each in group.values():
            written += _texts(each)
    written += _texts(_table(document, "tool", "uv").get("dev-dependencies"))
    names = list(_requirements(written))
    tables = [poetry, *(each for each in _table(poetry, "group").values() if isinstance(each, dict))]
    for table in tables:
        for key in ("dependencies", "dev-dependencies"):
            names += [name for name in _table(table, key) if name != "python"]
    return names


def _from_pants(document: dict[str, Any]) -> Manifest:
    """Pants' source roots: `/x` is beneath the folder of pants.toml, `x` anywhere; its defaults where it says none."""
    written = _table(document, "source").get("root_patterns")
    patterns = _texts(written) if isinstance(written, list) else ["/", "src", "src/python", "src/py"]
    return Manifest(patterns=_unique(patterns))


def _from_pipfile(document: dict[str, Any]) -> Manifest:
    names = [name for key in ("packages", "dev-packages") for name in _table(document, key)]
    return Manifest(requires=_unique(names))


def _from_ini(text: str) -> Manifest:
    if text.count("\n[") > _MAX_SECTIONS:
        return Manifest(problem="not read: it looks generated")
    parser = configparser.RawConfigParser(strict=False, interpolation=None, delimiters=("=", ":"))
    try:
        parser.read_string(text)
    except (configparser.Error, ValueError) as error:
        return Manifest(problem=f"not an INI file: {str(error)[:200]}")

    def lines(section: str, key: str) -> list[str]:
        value = parser.get(section, key, fallback=None) if parser.has_section(section) else None
        return [line.strip() for line in (value or "").replace(",", "\n").splitlines() if line.strip()]

    pairs = [
        (key.strip(), value.strip())
        for key, _, value in (line.partition("=") for line in lines("options", "package_dir"))
    ]
    roots, packages = _package_dir(pairs)
    roots += lines("options.packages.find", "where")
    packages += [f"{roots[0] if roots else '.'}/{name}" for name in lines("options", "py_modules")]
    requires = lines("options", "install_requires") + lines("options", "setup_requires")
    if parser.has_section("options.extras_require"):
        for key in parser.options("options.extras_require"):
            requires += lines("options.extras_require", key)
    search = [*lines("pytest", "pythonpath"), *lines("tool:pytest", "pythonpath")]
    return Manifest(
        name=_first(lines("metadata", "name")),
        renamed=_renamed(pairs),
        imports_tests_alone=_imports_alone(" ".join([*lines("pytest", "addopts"), *lines("tool:pytest", "addopts")])),
        roots=_unique(roots),
        search=_unique([each for line in search for each in line.split()]),
        packages=_unique(packages),
        requires=_unique(_requirements(requires)),
        distributes=parser.has_section("metadata") or parser.has_section("options"),
    )


def _from_setup(text: str) -> Manifest:
    """setup.py is a program; its literals are read where they stand after the usual names."""
    text = text[:_MAX_SETUP]
    if max(text.count(word) for word in ("require", "package_dir", "packages", "py_modules")) > _MAX_SETUP_WORDS:
        return Manifest(distributes=True, problem="not read: it looks generated")
    pairs = [(m[1], m[2]) for found in _PACKAGE_DIR.finditer(text) for m in _PAIR.finditer(found[1])]
    roots, packages = _package_dir(pairs)
    roots += [found[1] for found in _FIND_WHERE.finditer(text)]
    base = roots[0] if roots else "."
    for found in _PACKAGES.finditer(text):
        packages += [f"{base}/{name.replace('.', '/')}" for name in _strings(found[1])]
    requires = [name for found in _SETUP_REQUIRES.finditer(text) for name in _strings(found[1])]
    for found in _SETUP_EXTRAS.finditer(text):
        requires += [match[1] or match[2] or "" for match in _VALUE.finditer(found[1]) if not match[3]]
    name = _SETUP_NAME.search(text)
    return Manifest(
        name=name[1] if name else "",
        roots=_unique(roots),
        packages=_unique(packages),
        renamed=_renamed(pairs),
        requires=_unique(_requirements(requires)),
        distributes=bool(_SETUP_CALL.search(text) and _SETUP_TOOL.search(text)),
    )


def _package_dir(pairs: Iterable[tuple[Any, Any]]) -> tuple[list[str], list[str]]:
    """The roots and package folders of a `package_dir` mapping: "" is the root, a name is one package."""
    roots: list[str] = []
    packages: list[str] = []
    for name, folder in pairs:
        if not isinstance(name, str) or not isinstance(folder, str):
            continue
        if not name:
            roots.append(folder or ".")
        elif f"/{folder.rstrip('/')}".endswith(f"/{name.replace('.', '/')}"):
            packages.append(folder)
            roots.append(folder.rstrip("/")[: -len(name)].rstrip("/") or ".")
    return roots, packages


def _renamed(pairs: Iterable[tuple[Any, Any]]) -> tuple[tuple[str, str], ...]:
    """(dotted name, folder) of the packages in a `package_dir` whose folder is called otherwise."""
    texts = ((name, folder) for name, folder in pairs if isinstance(name, str) and isinstance(folder, str))
    return _unique_pairs(
        (name, folder or ".")
        for name, folder in texts
        if name and not f"/{folder.rstrip('/')}".endswith(f"/{name.replace('.', '/')}")
    )


def _imports_alone(options: str) -> bool:
    """Whether pytest's options ask for an import mode in which `sys.path` stays as it is."""
    return "importmode=importlib" in options.replace("-", "").replace(" ", "=")


def _requirements(lines: Iterable[str]) -> Iterator[str]:
    """Distribution names of PEP 508 requirements or lines of a requirements file."""
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match is not None and not line.lstrip()[len(match[1]) :].startswith(("://", "+", ":")):
            yield match[1]
        elif (egg := _EGG.search(line)) is not None:
            yield egg[1]


def _table(value: Any, *keys: str) -> dict[str, Any]:
    """The nested table, or an empty one where something else or nothing stands there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    """The strings of a value that is a string or a list; anything else in it is left out."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _strings(text: str) -> list[str]:
    return [match[1] or match[2] or "" for match in _STRING.finditer(text)]


def _above(package: str) -> str:
    return package.rstrip("/").rpartition("/")[0] or "."


def _literal_part(glob: str) -> str:
    """The folders of a glob before its first wildcard."""
    parts = glob.split("/")
    stop = next((place for place, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return "/".join(parts[:stop])


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _unique_pairs(values: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys(values))
