"""Resolution of Python, where a case file cannot say it: what is read, hostile specifiers and manifests."""

import time

import pytest

from weft_storage.model.edges import Resolution, Status
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.languages import Family, Language
from weft_storage.model.settings import Settings
from weft_tasks.extract import extract
from weft_tasks.resolve.imports import ResolvedFile, resolve_file
from weft_tasks.resolve.index import RecordingIndex, Repository
from weft_tasks.resolve.python import RESOLVER
from weft_tasks.resolve.python.manifests import Manifest, read_manifest
from weft_tasks.resolve.python.standard_library import BUILT_IN, STANDARD_LIBRARY


def index_of(
    files: dict[str, str], settings: Settings | None = None, links: dict[str, str] | None = None
) -> RecordingIndex:
    def interface(path: str) -> bytes:
        return extract(Language.PYTHON, files[path].encode()).interface if path in files else b""

    def read(path: str) -> bytes | None:
        return files[path].encode() if path in files else None

    return RecordingIndex(Repository(files, links=links, read=read, interface=interface), settings or Settings())


def resolved(files: dict[str, str], importer: str) -> ResolvedFile:
    facts = extract(Language.PYTHON, files[importer].encode())
    return resolve_file(importer, Language.PYTHON, facts.imports, index_of(files))


@pytest.mark.parametrize("level", ["", ".", "..", "." * 5000])
@pytest.mark.parametrize(
    "name",
    ["", "a/b", "\0", "a\0b", "a\nb", "../../etc/passwd", "a..b", "/etc/passwd", "a" * 100_000, "a." * 20_000 + "a"],
)
@pytest.mark.parametrize("detail", ["", "pkg", "pkg..x", "\0", "..", "/"])
def test_no_specifier_raises_or_leads_out(level: str, name: str, detail: str) -> None:
    index = index_of({"pkg/__init__.py": "", "pkg/a.py": ""})
    for kind in (EdgeKind.IMPORT, EdgeKind.DYNAMIC):
        for names in ((), ("x", "*", "", "../a", "\0")):
            found = RESOLVER.resolve("pkg/a.py", Import(level + name, kind, 1, names, detail=detail), index)
            assert isinstance(found, Resolution)
            assert found.status is not Status.UNRESOLVED or found.probed
            assert all(target.path in ("pkg/__init__.py", "pkg/a.py") for target in found.targets)


def test_a_missing_module_is_read_where_it_would_be() -> None:
    file = resolved({"pkg/__init__.py": "", "pkg/a.py": "from .gone import x"}, "pkg/a.py")
    assert {"f:pkg/gone.py", "d:pkg/gone"} <= file.reads
    assert file.outside[0].probed == ("pkg/gone/__init__.py", "pkg/gone.py")


def test_many_projects_are_not_searched_for_every_import() -> None:
    files = {f"libs/p{n}/pyproject.toml": f"[project]\nname = 'p{n}'" for n in range(300)}
    files |= {f"libs/p{n}/src/acme/p{n}/__init__.py": "" for n in range(300)}
    files["main.py"] = "import requests\nfrom acme.p7 import x\nimport acme.p8\nfrom acme import p9\nimport acme.none"
    file = resolved(files, "main.py")
    assert [edge.imported for edge in file.edges] == [f"libs/p{n}/src/acme/p{n}/__init__.py" for n in (7, 8, 9)]
    assert len(file.reads) < 60


def test_roots_are_answered_by_folder() -> None:
    files = {
        "pyproject.toml": "[project]\nname = 'whole'",
        "lib/pyproject.toml": "[tool.setuptools.packages.find]\nwhere = ['code']",
        "lib/pytest.ini": "[pytest]\npythonpath = fix",
        "lib/code/pkg/__init__.py": "",
        "lib/code/pkg/sub/__init__.py": "",
        "lib/fix/x.py": "",
        "lib/tests/unit/test.py": "",
        "src/top.py": "",
    }
    index = index_of(files)
    outer = ["src", ""]
    assert list(index.ask(Family.PYTHON, "roots:lib/code/pkg/sub")[0]) == ["lib/code", "lib/fix", "lib", *outer]
    assert list(index.ask(Family.PYTHON, "roots:lib/tests/unit")[0]) == [
        "lib/tests/unit",
        "lib/code",
        "lib/fix",
        "lib",
        *outer,
    ]
    assert list(index.ask(Family.PYTHON, "roots:")[0]) == ["", "src"]


def test_files_of_one_folder_share_their_resolutions() -> None:
    assert RESOLVER.context("a/b.py") == RESOLVER.context("a/c.py")
    assert RESOLVER.context("a/b.py") != RESOLVER.context("a/b.pyi")
    assert RESOLVER.context("a/b.py") != RESOLVER.context("b.py")


HOSTILE_MANIFESTS = [
    ("pyproject.toml", "a = " + "[" * 100_000),
    ("pyproject.toml", "a = " + "{b = " * 50_000),
    ("pyproject.toml", ".".join(["a"] * 100_000) + " = 1"),
    ("pyproject.toml", "\0"),
    (
        "pyproject.toml",
        "[project]\nname = 1\ndependencies = {a = 1}\noptional-dependencies = [1]\n[tool]\npoetry = 'x'",
    ),
    ("pyproject.toml", "tool = [1]\nproject = 'x'\ndependency-groups = {a = [{b = 1}], c = 2}\nbuild-system = 3"),
    ("pyproject.toml", "[tool.setuptools]\npackage-dir = {'' = 1, a = ['b']}\npackages = {find = {where = 3}}"),
    ("setup.cfg", "[options]\n[options]\npackage_dir = =\n = = =\n"),
    ("setup.cfg", "[a\nb"),
    ("setup.cfg", "x\n" * 50_000),
    ("setup.py", "package_dir = {" * 50_000),
    ("setup.py", "install_requires = [" * 20_000),
    ("setup.py", "find_packages(" * 50_000 + "'"),
    ("setup.py", "name='" * 50_000),
    ("requirements.txt", "-" * 500_000),
    ("requirements.txt", " " * 500_000 + "a"),
    ("Pipfile", "packages = 1"),
    ("pyproject.toml", " " * 3_000_000),
    ("pyproject.toml", "[project]\ndependencies = [" + "'a>=1', " * 240_000 + "]"),
    ("pyproject.toml", "".join(f"[tool.a{n}]\nb = {{c = [1, 2]}}\n" for n in range(70_000))),
    ("pyproject.toml", "[tool.setuptools.packages.find]\nwhere = [" + "'../../..', " * 150_000 + "]"),
    ("pyproject.toml", "[tool.setuptools.package-dir]\n" + "".join(f"a{n} = '../{n}'\n" for n in range(100_000))),
    ("setup.cfg", "[options]\npackage_dir =\n" + "".join(f"  a{n} = b{n}\n" for n in range(120_000))),
    ("setup.cfg", "".join(f"[a{n}]\nb = c\n" for n in range(120_000))),
    ("setup.py", "setup" + "(" * 10_000 + ")" * 10_000),
    ("setup.py", "from setuptools import setup\nsetup(packages=[" + "'a.b', " * 280_000 + "])"),
    ("setup.py", "setup (" * 280_000 + "setuptools"),
    ("setup.py", "package_dir={" + "'a': 'b', " * 200_000 + "}"),
    ("pants.toml", "[source]\nroot_patterns = [" + "'*a*a*a*a*a*b', " * 100_000 + "]"),
    ("pants.toml", "source = 1"),
    ("pants.toml", "[source]\nroot_patterns = {a = 1}"),
]


@pytest.mark.parametrize(("name", "text"), HOSTILE_MANIFESTS)
def test_hostile_manifests_give_something_in_little_time(name: str, text: str) -> None:
    started = time.process_time()
    assert isinstance(read_manifest(name, text.encode()), Manifest)
    assert isinstance(read_manifest(name, b"\xff\xfe" + text.encode()[:1000]), Manifest)
    assert time.process_time() - started < 5


def test_roots_that_lead_out_of_the_repository_are_left_out() -> None:
    roots = "[tool.setuptools.packages.find]\nwhere = ['../..', '/etc', 'a/../../b', '', 'lib\\u0000', 'lib']"
    index = index_of({"p/pyproject.toml": roots, "p/lib/a.py": "", "p/tests/t.py": "import a"})
    assert list(index.ask(Family.PYTHON, "roots:p/tests")[0]) == ["p/tests", "p/lib", "p"]


def test_roots_out_of_the_repository_are_problems() -> None:
    files = {
        "p/pyproject.toml": "[tool.setuptools.packages.find]\nwhere = ['../../..', '/etc', 'lib']",
        "p/setup.py": "from setuptools import setup\nsetup(package_dir={'a': '../../x'})",
        "p/lib/a.py": "",
    }
    index = index_of(files, Settings(source_roots=("../elsewhere", "/etc", "p/lib")))
    assert index.ask(Family.PYTHON, "roots:p/lib")[0] == ("p/lib",)
    problems = index.project(Family.PYTHON).problems
    assert [path for path, _ in problems] == ["p/pyproject.toml"] * 2 + ["p/setup.py"] + ["pyproject.toml"] * 2
    assert all("leads out of the repository" in sentence for _, sentence in problems)


def test_patterns_of_roots_take_little_time_in_a_large_repository() -> None:
    files = {f"{'a' * 50}{n}/{'a' * 50}/x.py": "" for n in range(5_000)}
    files["pants.toml"] = f"[source]\nroot_patterns = {['*a' * 20 + 'b'] * 1000}"
    started = time.process_time()
    assert list(index_of(files).ask(Family.PYTHON, "roots:")[0]) == [""]
    assert time.process_time() - started < 5


def test_a_chain_of_a_thousand_star_imports_is_followed_in_little_time() -> None:
    files = {f"pkg/m{n}.py": f"from .m{n + 1} import *" for n in range(1_000)}
    names = [f"name{n}" for n in range(5_000)]
    files["pkg/m1000.py"] = f"from .m0 import *\n__all__ = {names}"
    files |= {"pkg/__init__.py": "from .m0 import *", "pkg/name7.py": "", "pkg/other.py": ""}
    files["main.py"] = f"from pkg import {', '.join(names)}, other"
    started = time.process_time()
    assert [edge.imported for edge in resolved(files, "main.py").edges] == ["pkg/__init__.py", "pkg/other.py"]
    assert time.process_time() - started < 5


def test_star_imports_in_a_circle_end() -> None:
    files = {f"pkg/m{n}.py": f"from .m{(n + 1) % 300} import *\nfrom . import *" for n in range(300)}
    files |= {"pkg/__init__.py": "from .m0 import *\nfrom pkg import *", "pkg/x.py": "", "main.py": "from pkg import x"}
    started = time.process_time()
    assert [edge.imported for edge in resolved(files, "main.py").edges] == ["pkg/__init__.py", "pkg/x.py"]
    assert time.process_time() - started < 5


def test_many_listed_submodules_are_found_in_little_time() -> None:
    names = [f"m{n}" for n in range(5_000)]
    files = {f"pkg/{name}.py": "" for name in names} | {"pkg/__init__.py": f"__all__ = {names}"}
    files["main.py"] = "from pkg import *"
    started = time.process_time()
    assert len(resolved(files, "main.py").edges) == 5_001
    assert time.process_time() - started < 5


def test_ten_thousand_dots_lead_nowhere() -> None:
    dots = "." * 10_000
    files = {"pkg/__init__.py": "", "pkg/a.py": f"from {dots} import x\nfrom {dots}pkg import y"}
    started = time.process_time()
    file = resolved(files, "pkg/a.py")
    assert (file.edges, [each.status for each in file.outside]) == ((), [Status.UNRESOLVED] * 2)
    assert time.process_time() - started < 1


def test_loops_of_links_in_packages_end() -> None:
    files = {"pkg/__init__.py": "", "pkg/a.py": "import pkg.again.again.a\nimport pkg.one.x\nfrom .one import y"}
    links = {"pkg/again": "pkg", "pkg/one": "pkg/two", "pkg/two": "pkg/one", "pkg/deep": "pkg/deep/deep"}
    index = index_of(files, links=links)
    facts = extract(Language.PYTHON, files["pkg/a.py"].encode())
    started = time.process_time()
    file = resolve_file("pkg/a.py", Language.PYTHON, facts.imports, index)
    assert [edge.imported for edge in file.edges] == ["pkg/__init__.py"]
    assert {each.specifier for each in file.outside} == {"pkg.one.x", ".one"}
    assert time.process_time() - started < 1


def test_the_standard_library_is_that_of_every_version() -> None:
    assert {"os", "distutils", "imp", "asyncore", "tomllib", "annotationlib", "__future__"} <= STANDARD_LIBRARY
    assert {"sys", "time", "os"} <= BUILT_IN
    assert "test" not in STANDARD_LIBRARY


def test_setup_py_is_read_as_text() -> None:
    manifest = read_manifest(
        "setup.py",
        b"""setup(
    name="thing", package_dir={"": "src", "other": "lib/other", 'bad': "elsewhere"},
    packages=["thing", "thing.sub"], install_requires=["a>=1", 'b[c]; x'], extras_require={"dev": ["d"], 'e': ['f']},
)""",
    )
    assert manifest.name == "thing"
    assert manifest.roots == ("src", "lib")
    assert manifest.packages == ("lib/other", "src/thing", "src/thing/sub")
    assert manifest.requires == ("a", "b", "d", "f")
