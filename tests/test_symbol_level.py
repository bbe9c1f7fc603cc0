"""Affected units: what a change of a declaration affects within files, in four languages."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from repositories import PROJECT, Repository
from weft.queries import GraphView
from weft.queries.affected import last_change
from weft.queries.symbol_level import affected_units
from weft_storage.backends import open_store
from weft_storage.model.languages import Language
from weft_tasks.extract import extract
from weft_tasks.symbols import ALL, FileSymbols, changed_names, read_symbols

Files = Mapping[str, str]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    root = tmp_path / "repository"
    root.mkdir()
    with open_store("memory://") as store:
        yield Repository(root, store)


def affected(repository: Repository, before: Files, edits: Files, *deleted: str) -> dict[str, set[str]]:
    """The units that some edits affect."""
    repository.write(before)
    repository.scan()
    repository.write(edits)
    if deleted:
        repository.delete(*deleted)
    repository.scan()
    change = last_change(GraphView(repository.store, PROJECT))
    old = {name: text.encode() for name, text in before.items()}
    new = {**old, **{name: text.encode() for name, text in edits.items()}}
    return affected_units(change, old.get, new.get)


PYTHON = {
    "lib.py": "import os\n\ndef one():\n    return 1\n\ndef two():\n    return one()\n\n"
    "def three():\n    return os.name\n",
    "uses_one.py": "from lib import one as first\n\ndef direct():\n    return first()\n\ndef other():\n    return 0\n",
    "uses_two.py": "import lib\n\nclass User:\n    def go(self):\n        return lib.two()\n\nX = 3\n",
    "uses_three.py": "from lib import *\n\ndef name():\n    return three()\n",
    "further.py": "from uses_one import direct\n\nVALUE = direct()\n",
}


class TestPython:
    """Rules that all languages share, shown in Python, and Python's own."""

    def test_only_those_that_mention_what_changed(self, repository: Repository) -> None:
        edit = {"lib.py": PYTHON["lib.py"].replace("return 1", "return 11")}
        assert affected(repository, PYTHON, edit) == {
            "further.py": {"VALUE"},
            "lib.py": {"one", "two"},
            "uses_one.py": {"direct"},
            "uses_two.py": {"User"},
        }

    def test_a_star_import_lends_every_name(self, repository: Repository) -> None:
        edit = {"lib.py": PYTHON["lib.py"].replace("os.name", "os.sep")}
        assert affected(repository, PYTHON, edit) == {"lib.py": {"three"}, "uses_three.py": {"name"}}

    @pytest.mark.parametrize(
        "text",
        [
            "# licence\n" + PYTHON["lib.py"],
            PYTHON["lib.py"].replace("return 1", "return 1  # the first"),
            PYTHON["lib.py"].replace("return 1", "return (\n        1\n    )").replace("(\n        1\n    )", "1"),
            PYTHON["lib.py"].replace("\n\ndef", "\n\n\n\ndef"),
            PYTHON["lib.py"].replace("    return", "        return"),
            '"""A docstring that names one and two."""\n' + PYTHON["lib.py"],
        ],
    )
    def test_comments_and_layout_affect_nothing(self, repository: Repository, text: str) -> None:
        assert affected(repository, PYTHON, {"lib.py": text}) == {}

    def test_space_in_a_string_is_no_layout(self, repository: Repository) -> None:
        before = {"a.py": 'X = "a b"\n', "b.py": "from a import X\nY = X\n"}
        assert affected(repository, before, {"a.py": 'X = "a  b"\n'}) == {"a.py": {"X"}, "b.py": {"Y"}}

    def test_a_line_that_leaves_its_block_is_no_layout(self, repository: Repository) -> None:
        before = {"a.py": "def f(x):\n    if x:\n        g()\n        h()\n"}
        assert affected(repository, before, {"a.py": "def f(x):\n    if x:\n        g()\n    h()\n"}) == {"a.py": {"f"}}

    def test_code_that_runs_on_load_affects_all_who_load_it(self, repository: Repository) -> None:
        before = {**PYTHON, "lib.py": PYTHON["lib.py"] + "\nos.umask(0)\n"}
        found = affected(repository, before, {"lib.py": PYTHON["lib.py"] + "\nos.umask(7)\n"})
        assert found == {name: {ALL} for name in PYTHON}

    def test_code_that_runs_on_load_may_alter_what_it_mentions(self, repository: Repository) -> None:
        before = {
            "registry.py": "table = {}\n",
            "handlers.py": "from registry import table as t\n\ndef handle():\n    return 1\n\nt['x'] = handle\n",
            "main.py": "import handlers, registry\n\ndef test():\n    return registry.table\n\ndef no(): pass\n",
        }
        found = affected(repository, before, {"handlers.py": before["handlers.py"].replace("1", "2")})
        assert found == {"handlers.py": {"", "handle"}, "main.py": {"test"}}

    def test_a_decorator_that_may_register_alters_what_it_names(self, repository: Repository) -> None:
        before = {
            "app.py": "class App: pass\napp = App()\n",
            "views.py": "from app import app\n\n@app.route('/')\ndef index():\n    return 1\n",
            "main.py": "import views\nfrom app import app\n\ndef test():\n    return app.get('/')\n",
        }
        found = affected(repository, before, {"views.py": before["views.py"].replace("1", "2")})
        assert found == {"main.py": {"test"}, "views.py": {"index"}}

    @pytest.mark.parametrize("decorator", ["@functools.cache", "@property", "@pytest.fixture(scope='module')"])
    def test_a_decorator_that_only_wraps_is_not(self, repository: Repository, decorator: str) -> None:
        before = {
            "a.py": f"import functools, pytest\n\n{decorator}\ndef f():\n    return 1\n\ndef g(): pass\n",
            "b.py": "from a import f, g\n\ndef of_f():\n    return f()\n\ndef of_g():\n    return g()\n",
        }
        found = affected(repository, before, {"a.py": before["a.py"].replace("1", "2")})
        assert found == {"a.py": {"f"}, "b.py": {"of_f"}}

    def test_the_program_below_is_not_loaded_by_others(self, repository: Repository) -> None:
        main = 'if __name__ == "__main__":\n    f()\n'
        before = {"a.py": f"def f():\n    return 1\n\ndef g(): pass\n\n{main}", "b.py": "from a import g\nX = g()\n"}
        found = affected(repository, before, {"a.py": before["a.py"].replace("1", "2")})
        assert found == {"a.py": {"__main__", "f"}}

    def test_dynamic_access_may_mean_any_name(self, repository: Repository) -> None:
        before = {
            **PYTHON,
            "any.py": "import lib\n\ndef call(name):\n    return getattr(lib, name)()\n\ndef no(): pass\n",
        }
        found = affected(repository, before, {"lib.py": PYTHON["lib.py"].replace("os.name", "os.sep")})
        assert found["any.py"] == {"call"}

    def test_an_import_that_leads_elsewhere_affects_the_whole_file(self, repository: Repository) -> None:
        before = {"a.py": "import b.c\n\ndef f(): pass\n\ndef g():\n    return b.c\n", "b/c.py": "X = 1\n"}
        found = affected(repository, before, {"b/c/__init__.py": "X = 2\n"})
        assert found["a.py"] == {ALL}

    def test_another_import_affects_who_mentions_what_it_binds(self, repository: Repository) -> None:
        before = {
            "a.py": "from b import x\n\ndef f():\n    return x\n\ndef g(): pass\n",
            "b.py": "x = y = 1\n",
            "c.py": "x = 2\n",
        }
        found = affected(repository, before, {"a.py": before["a.py"].replace("from b", "from c")})
        assert found == {"a.py": {"f"}}

    def test_a_name_that_is_passed_on_is_followed(self, repository: Repository) -> None:
        before = {
            "pkg/__init__.py": "from pkg.inner import thing as public, other\n",
            "pkg/inner.py": "def thing():\n    return 1\n\ndef other(): pass\n",
            "a.py": "from pkg import public\n\ndef f():\n    return public()\n",
            "b.py": "from pkg import other\n\ndef g():\n    return other()\n",
        }
        found = affected(repository, before, {"pkg/inner.py": before["pkg/inner.py"].replace("1", "2")})
        assert found == {"a.py": {"f"}, "pkg/inner.py": {"thing"}}

    def test_a_file_with_syntax_errors_is_taken_as_a_whole(self, repository: Repository) -> None:
        before = {"a.py": "def f(): pass\n", "b.py": "from a import f\ndef g(:\n  f(\n", "c.py": "import b\nX = 1\n"}
        assert affected(repository, before, {"a.py": "def f(): return 1\n"})["b.py"] == {ALL}

    def test_what_goes_affects_who_used_it(self, repository: Repository) -> None:
        found = affected(repository, PYTHON, {}, "lib.py")
        assert found.keys() == PYTHON.keys()


def test_typescript(repository: Repository) -> None:
    before = {
        "lib.ts": "export const one = () => 1;\nexport function two() { return 2 }\n"
        "export default class Main { go() {} }\n",
        "index.ts": 'export { one as uno, default as Main } from "./lib";\nexport * from "./more";\n',
        "more.ts": "export function three() { return 3 }\nexport type T = string;\n",
        "a.ts": 'import { uno, Main } from "./index";\nexport const x = uno();\nexport const y = new Main();\n',
        "b.ts": 'import { three } from "./index";\nexport const z = () => three();\nexport const w = 1;\n',
        "c.ts": 'import Anything from "./lib";\nexport const q = new Anything();\nexport const r = 2;\n',
    }
    one = affected(repository, before, {"lib.ts": before["lib.ts"].replace("() => 1", "() => 11")})
    assert one == {"a.ts": {"x"}, "lib.ts": {"one"}}
    before = {**before, "lib.ts": before["lib.ts"].replace("() => 1", "() => 11")}
    assert affected(repository, before, {"more.ts": before["more.ts"].replace("return 3", "return 4")}) == {
        "b.ts": {"z"},
        "more.ts": {"three"},
    }
    before = {**before, "more.ts": before["more.ts"].replace("return 3", "return 4")}
    assert affected(repository, before, {"lib.ts": before["lib.ts"].replace("go() {}", "go() { run() }")}) == {
        "a.ts": {"y"},
        "c.ts": {"q"},
        "lib.ts": {"Main"},
    }


def test_go_methods_belong_to_their_type_and_packages_see_their_own(repository: Repository) -> None:
    before = {
        "go.mod": "module example.com/m\n",
        "p/type.go": "package p\n\ntype Shape struct{}\n\nfunc New() *Shape { return &Shape{} }\n",
        "p/method.go": "package p\n\nfunc (s *Shape) Do() int { return 1 }\n\nfunc alone() {}\n",
        "p/p_test.go": 'package p\n\nimport "testing"\n\nfunc TestDo(t *testing.T) { New().Do() }\n\n'
        "func TestAlone(t *testing.T) { alone() }\n",
        "main.go": 'package main\n\nimport "example.com/m/p"\n\nfunc main() { p.New() }\n\nfunc other() {}\n',
    }
    found = affected(repository, before, {"p/method.go": before["p/method.go"].replace("1", "2")})
    assert found == {
        "main.go": {"main"},
        "p/method.go": {"Shape"},
        "p/p_test.go": {"TestDo"},
        "p/type.go": {"New"},
    }


def test_rust_items_of_modules_and_impls(repository: Repository) -> None:
    before = {
        "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/lib.rs": "mod shapes;\nmod user;\nmod other;\npub use shapes::Circle as Round;\n",
        "src/shapes.rs": "pub struct Circle;\nimpl Circle { pub fn area(&self) -> u8 { 1 } }\npub struct Square;\n",
        "src/user.rs": "use crate::Round;\npub fn f(x: Round) -> u8 { x.area() }\npub fn g() {}\n",
        "src/other.rs": "use crate::shapes::Square;\npub fn h(s: Square) {}\n",
    }
    found = affected(repository, before, {"src/shapes.rs": before["src/shapes.rs"].replace("{ 1 }", "{ 2 }")})
    assert found["src/user.rs"] == {"f"}
    assert found["src/shapes.rs"] == {"Circle"}
    assert "src/other.rs" not in found


def symbols(source: str, language: Language) -> FileSymbols:
    return read_symbols(source.encode(), language, extract(language, source.encode()).declarations)


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        (
            Language.TYPESCRIPT,
            "const f = () => { return x }",
            "// f\nconst f = () => {\n  return x;\n}".replace(";", ""),
        ),
        (Language.GO, "package p\nfunc F() { g() }", "package p\n\n// F does.\nfunc F() {\n\tg()\n}"),
        (Language.RUST, "fn f() { g() }", "/// f\nfn f() {\n    /* nothing */ g()\n}"),
        (Language.PYTHON, "def f(a, b): return [a, b]", "def f(a,\n      b):\n    return [a, b]  # both"),
    ],
)
def test_layout_is_no_meaning(language: Language, before: str, after: str) -> None:
    assert changed_names(symbols(before, language), symbols(after, language)) == set()


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        (Language.TYPESCRIPT, "function f() { return x }", "function f() { return\nx }"),
        (Language.TYPESCRIPT, "const f = `a b`", "const f = `a  b`"),
        (Language.TYPESCRIPT, "const f = /a b/", "const f = /a  b/"),
        (Language.TYPESCRIPT, "const f = <a>x y</a>".replace("<a>", "'").replace("</a>", "'"), "const f = 'x  y'"),
        (Language.GO, 'package p\nvar f = "a b"', 'package p\nvar f = "a  b"'),
        (Language.RUST, "fn f() { a - b }", "fn f() { a; -b }"),
        (Language.RUST, 'const f: &str = r#"a b"#;', 'const f: &str = r#"a  b"#;'),
        (Language.PYTHON, "f = ab", "f = a, b"),
        (Language.PYTHON, "f = f'{a} b'", "f = f'{a}  b'"),
    ],
)
def test_meaning_is_no_layout(language: Language, before: str, after: str) -> None:
    assert changed_names(symbols(before, language), symbols(after, language)) == {"f"}


def test_the_command_lists_declarations_and_leaves_out_files_without_any(tmp_path: Path) -> None:
    repository = Repository(tmp_path, open_store("memory://"))
    repository.git("init", "--quiet")
    repository.write(PYTHON)
    repository.commit()
    repository.write({"lib.py": PYTHON["lib.py"].replace("os.name", "os.sep  # what separates")})

    def weft(*arguments: str) -> str:
        command = [sys.executable, "-m", "weft", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert weft("affected", "--since", "HEAD", "--symbols") == (
        "lib.py  modified\n    three\nuses_three.py  dependent\n    name\n"
    )
    assert weft("affected", "--since", "HEAD", "--symbols", "--format", "paths") == "lib.py\nuses_three.py\n"
    documented = json.loads(weft("affected", "--since", "HEAD", "--symbols", "--format", "json"))["files"]
    assert [each["symbols"] for each in documented] == [["three"], ["name"]]
    repository.write({"lib.py": PYTHON["lib.py"] + "\n# nothing else\n"})
    assert weft("affected", "--since", "HEAD", "--symbols", "--format", "paths") == ""
    assert len(weft("affected", "--since", "HEAD", "--format", "paths").split()) == 5
    repository.commit()
    weft("scan")
    repository.write({"lib.py": PYTHON["lib.py"].replace("return 1", "return 2")})
    weft("scan")
    assert "uses_two.py  dependent\n    User\n" in weft("affected", "--symbols")
