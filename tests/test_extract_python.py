"""Extraction of Python, where a case file cannot say it: bytes, declarations, interfaces, hostile source."""

import time

import msgspec
import pytest

from weft_storage.model.facts import Declaration, EdgeKind, FileFacts
from weft_storage.model.interfaces.python import PythonInterface
from weft_storage.model.languages import Language
from weft_tasks.extract import extract


def facts_of(source: str | bytes) -> FileFacts:
    return extract(Language.PYTHON, source.encode() if isinstance(source, str) else source)


def interface_of(source: str) -> PythonInterface:
    return msgspec.msgpack.decode(facts_of(source).interface, type=PythonInterface)


def declared(source: str) -> list[tuple[str, str, int, int, str, bool]]:
    return [(d.name, d.kind.value, d.line, d.end_line, d.parent, d.exported) for d in facts_of(source).declarations]


def specifiers(source: str | bytes) -> list[tuple[str, int]]:
    return [(each.specifier, each.line) for each in facts_of(source).imports]


def test_declarations_have_lines_parents_and_visibility() -> None:
    source = """import x
@decorated
async def function(): pass
class Outer(Base):
    attribute = 1
    def method(self):
        def local(): pass
    @property
    def _hidden(self): pass
    class Inner:
        def __init__(self): pass
CONSTANT: int = 3
a, (b, *c), d.e = first = value
type Alias[T] = list[T]
_private = 1
"""
    assert declared(source) == [
        ("function", "function", 2, 3, "", True),
        ("Outer", "class", 4, 11, "", True),
        ("method", "method", 6, 7, "Outer", True),
        ("_hidden", "method", 8, 9, "Outer", False),
        ("Inner", "class", 10, 11, "Outer", True),
        ("__init__", "method", 11, 11, "Outer.Inner", True),
        ("CONSTANT", "constant", 12, 12, "", True),
        ("a", "constant", 13, 13, "", True),
        ("b", "constant", 13, 13, "", True),
        ("c", "constant", 13, 13, "", True),
        ("first", "constant", 13, 13, "", True),
        ("Alias", "type_alias", 14, 14, "", True),
        ("_private", "constant", 15, 15, "", False),
    ]


def test_declarations_in_branches_of_the_module_are_found() -> None:
    source = "try:\n    def f(): pass\nexcept E:\n    f = None\nif x:\n    class C:\n        if y:\n            def m(self): pass\n"  # noqa: E501
    assert [(d[0], d[1], d[4]) for d in declared(source)] == [
        ("f", "function", ""),
        ("f", "constant", ""),
        ("C", "class", ""),
        ("m", "method", "C"),
    ]


def test_a_listed_underscore_name_is_exported_with_its_members() -> None:
    source = "__all__ = ['_C']\nclass _C:\n    def m(self): pass\nclass _D:\n    def m(self): pass\n"
    assert [(d[0], d[4], d[5]) for d in declared(source)] == [
        ("__all__", "", False),
        ("_C", "", True),
        ("m", "_C", True),
        ("_D", "", False),
        ("m", "_D", False),
    ]


def test_a_digest_changes_with_the_text_of_its_declaration_only() -> None:
    def digests(source: str) -> dict[str, bytes]:
        return {each.name: each.digest for each in facts_of(source).declarations}

    before = digests("def f(): return 1\n\ndef g(): return 2\n")
    after = digests("# moved\n\ndef f(): return 1\n\ndef g(): return 3\n")
    assert before["f"] == after["f"]
    assert before["g"] != after["g"]
    assert {len(digest) for digest in before.values()} == {8}


def test_line_ends_do_not_change_the_facts() -> None:
    source = "import a\ndef f():\n    import b\n"
    expected = facts_of(source)
    assert facts_of(source.replace("\n", "\r\n")) == expected
    assert facts_of(source.replace("\n", "\r")) == expected


def test_bindings_are_those_of_the_module_level() -> None:
    known = interface_of(
        """import a.b, c.d as e
from f import g, h as i
from .j import *
def k(): l = 1
class m: n = 1
o = p = 1
(q, [r, *s]), t.u, v[0] = x
for w, y in z: aa = 1
with bb as cc, (dd as (ee, ff)): gg = 1
try: hh = 1
except E as ii: jj = 1
if (kk := 1): ll = 1
elif mm: nn = 1
while 1: oo = 1
match pp:
    case 1: qq = 1
lambda: (rr := 1)
[(ss := 1) for tt in uu]
vv += 1
ww = xx = 1
del ww
yy: int
"""
    )
    assert known.bindings == tuple(
        sorted("a e i k m o p q r s w y aa cc ee ff gg hh jj kk ll nn oo qq ss xx yy".split())  # noqa: SIM905
    )
    assert known.from_imports == (("f", ("g",)), (".j", ("*",)))


@pytest.mark.parametrize(
    ("source", "listed", "is_open"),
    [
        ("__all__ = ['a', \"b\"]", ("a", "b"), False),
        ("__all__ = 'a', 'b'", ("a", "b"), False),
        ("__all__ = ('a' 'b',)", ("ab",), False),
        ("__all__: list[str] = ['a'] + ['b'] + ('c',)", ("a", "b", "c"), False),
        ("__all__ = ['a']\n__all__ += ['b']\n__all__.append('c')\n__all__.extend(('d',))", ("a", "b", "c", "d"), False),
        ("__all__ = ['a', # x\n]\nif y:\n    __all__ += ['b']", ("a", "b"), False),
        ("__all__ = ['a'] + other.__all__", ("a",), True),
        ("__all__ = [name for name in x]", (), True),
        ("__all__ = ['a', *b]", ("a",), True),
        ("__all__ = ['a']\n__all__ += sub.__all__", ("a",), True),
        ("__all__ = ['a']\n__all__.remove('a')", ("a",), True),
        ("__all__ = []", (), False),
        ("x = 1", None, False),
    ],
)
def test_dunder_all_is_read_from_literals(source: str, listed: tuple[str, ...] | None, is_open: bool) -> None:
    known = interface_of(source)
    assert (known.dunder_all, known.open_all) == (listed, is_open)


@pytest.mark.parametrize(
    ("source", "dynamic", "open_path"),
    [
        ("def __getattr__(name): ...", True, False),
        ("__getattr__, __dir__, __all__ = lazy.attach(__name__, ['x'])", True, False),
        ("sys.modules[__name__] = Lazy()", True, False),
        ("class C:\n    def __getattr__(self, name): ...", False, False),
        ("from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)", False, True),
        ("__import__('pkg_resources').declare_namespace(__name__)", False, True),
        ("for m in iter_modules(__path__): pass", False, False),
    ],
)
def test_modules_that_make_up_names_or_paths_are_marked(source: str, dynamic: bool, open_path: bool) -> None:
    known = interface_of(source)
    assert (known.dynamic, known.open_path) == (dynamic, open_path)


def test_the_byte_order_mark_is_no_part_of_the_text() -> None:
    assert specifiers(b"\xef\xbb\xbfimport a\n") == [("a", 1)]


@pytest.mark.parametrize("cookie", ["latin-1", "iso-8859-15", "windows-1252", "iso-latin-1-unix"])
def test_a_single_byte_encoding_is_decoded(cookie: str) -> None:
    facts = facts_of(f"# -*- coding: {cookie} -*-\nimport größe\n".encode("latin-1"))
    assert [each.specifier for each in facts.imports] == ["größe"]
    assert facts.problems == ()


def test_a_multi_byte_encoding_with_ascii_bytes_inside_characters_is_decoded() -> None:
    # The second byte of U+8868 in Shift JIS is a backslash, which would hide the quote after it.
    facts = facts_of("#!/usr/bin/python\n# vim: set fileencoding=shift_jis :\nx = '表'\nimport a\n".encode("shift_jis"))
    assert [each.specifier for each in facts.imports] == ["a"]
    assert facts.problems == ()


def test_an_encoding_comment_counts_on_the_first_two_lines_only() -> None:
    assert facts_of("\n\n# coding: nonsense\nimport a\n").problems == ()
    assert facts_of("x = 1\n# coding: nonsense\nimport a\n").problems == ()


@pytest.mark.parametrize("name", ["nonsense", "idna", "unicode_escape", "rot13", "zip", "..os", "undefined"])
def test_an_unknown_or_unfit_encoding_is_a_problem(name: str) -> None:
    facts = facts_of(f"# coding: {name}\nimport a\n")
    assert [each.specifier for each in facts.imports] == ["a"]
    assert len(facts.problems) == 1
    assert "encoding" in facts.problems[0]


def test_bytes_that_are_not_utf8_are_a_problem_with_a_line() -> None:
    facts = facts_of(b"import a\nx = '\xff'\nimport b\n")
    assert [each.specifier for each in facts.imports] == ["a", "b"]
    assert facts.problems == ("line 2: a byte that is not UTF-8",)


def test_relative_dynamic_imports_keep_their_package() -> None:
    found, _ = facts_of("import_module('..x', package='a.b')").imports
    assert (found.specifier, found.detail, found.kind) == ("..x", "a.b", EdgeKind.DYNAMIC)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import\nimport a", ["a"]),
        ("from import x\nimport a", ["a"]),
        ("from x import\nimport a", ["x", "a"]),
        ("import a.\nimport b", ["a", "b"]),
        ("import a,\nimport b", ["a", "b"]),
        ("from . import (a, b\n", ["."]),
        ("x = (\nimport a\nfrom b import c\n", ["a", "b"]),
        ("def f(:\n    import a\n", ["a"]),
        ("import a as\nimport b", ["a", "b"]),
        ("exec 'x'\nprint 'y'\nimport a", ["a"]),
        ("import a\n\0\nimport b", ["a", "b"]),
    ],
)
def test_broken_statements_give_what_can_be_read(source: str, expected: list[str]) -> None:
    found = [specifier for specifier, _ in specifiers(source)]
    assert set(expected) <= set(found)
    assert all(name.strip(".").replace(".", "").isidentifier() or name == "." for name in found)


HOSTILE = {
    "brackets": "x = " + "[" * 100_000 + "]" * 100_000,
    "open brackets": "(" * 200_000 + "\nimport a\n",
    "imports": "import a\n" * 20_000,
    "imports in functions": "def f():\n" + "    import a\n" * 20_000,
    "broken imports": "import a.\n" * 10_000,
    "words": "import_module(" * 20_000,
    "guards": "if TYPE_CHECKING and TYPE_CHECKING: import a\n" * 5_000,
    "nested guards": "".join(" " * depth + "if TYPE_CHECKING:\n" for depth in range(900)) + " " * 900 + "import a\n",
    "nested classes": "".join(" " * depth + "class C:\n" for depth in range(900)) + " " * 900 + "pass\n",
    "long all": "__all__ = [" + "'a'," * 50_000 + "]",
    "long sum": "__all__ = " + " + ".join(["['a']"] * 20_000),
    "chain": " = ".join(["a"] * 20_000) + " = 1",
    "walruses": "(a := " * 10_000 + "1" + ")" * 10_000,
    "elifs": "if x: pass\n" + "elif not TYPE_CHECKING: import a\n" * 3_000,
    "dots": "from " + "." * 100_000 + " import a",
    "names": "from a import " + ", ".join(["b"] * 50_000),
    "comments": "# coding" * 50_000,
    "quotes": '"""' * 66_667,
    "decorators": "@d\n" * 30_000 + "def f(): pass\n",
    "dotted strings": "".join(f"'a.b{n}'\n" for n in range(50_000)),
    "dotted strings, nested": "[" * 5_000 + "".join(f"'a.b{n}'," for n in range(5_000)) + "]" * 5_000,
    "one long dotted string": "x = '" + "a." * 200_000,
    "quotes and dots": "'a." * 100_000,
    "dotted strings in a comment": "# " + "'a.b' " * 100_000,
    "added paths": "a = __file__\n" * 100_000 + "sys.path.append(a)\n" * 10_000,
    "nested ways": "sys.path.append(" + "dirname(" * 20_000 + "__file__" + ")" * 20_000 + ")",
    "long ways": "sys.path.append(__file__" + " / 'a'" * 20_000 + ")",
    "chain of variables": "a0 = __file__\n"
    + "".join(f"a{n + 1} = a{n}\n" for n in range(5_000))
    + "sys.path.append(a5000)",
    "variable of itself": "a = dirname(a)\n" * 5_000 + "sys.path.append(a)\n" * 20 + "__file__",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_source_takes_little_time(name: str) -> None:
    started = time.process_time()
    facts = facts_of(HOSTILE[name])
    assert isinstance(facts, FileFacts)
    assert time.process_time() - started < 5


def test_facts_survive_encoding() -> None:
    facts = facts_of(b"\xffimport \xfe\nfrom .a import b\nclass \xe9: pass\n")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=FileFacts) == facts
    assert all(isinstance(each, Declaration) for each in facts.declarations)
