"""Extraction of Go where a case file cannot say it: declarations, interfaces, odd bytes, bounds on time."""

import time

import msgspec
import pytest
from blake3 import blake3

from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind, FileFacts
from weft_storage.model.interfaces.go import GoInterface
from weft_storage.model.languages import Language
from weft_tasks.extract import extract

DECLARATIONS = """package p

type (
	Server struct{ a int }
	handler[T any] interface{ Do(T) }
	Alias = Server
)
type Count int

func (s *Server) Start() {}
func (h (handler[T])) do() {}
func (Count) String() string { return "" }
func New() *Server { type local struct{}; const inner = 1; return nil }
func init() {}

const Limit = 3
const (
	A = iota
	B
	_
)
var x, Y = 1, 2
var (
	z = func() { var hidden int; _ = hidden }
	_ = z
)
"""


def facts(text: str | bytes) -> FileFacts:
    return extract(Language.GO, text.encode() if isinstance(text, str) else text)


def interface(text: str | bytes) -> GoInterface:
    return msgspec.msgpack.decode(facts(text).interface, type=GoInterface)


def declared(text: str) -> dict[str, Declaration]:
    return {each.name: each for each in facts(text).declarations}


def test_package_level_declarations_are_found_in_source_order() -> None:
    found = [(d.name, d.kind.value, d.parent, d.exported) for d in facts(DECLARATIONS).declarations]
    assert found == [
        ("Server", "class", "", True),
        ("handler", "interface", "", False),
        ("Alias", "type_alias", "", True),
        ("Count", "type_alias", "", True),
        ("Start", "method", "Server", True),
        ("do", "method", "handler", False),
        ("String", "method", "Count", True),
        ("New", "function", "", True),
        ("init", "function", "", False),
        ("Limit", "constant", "", True),
        ("A", "constant", "", True),
        ("B", "constant", "", True),
        ("x", "constant", "", False),
        ("Y", "constant", "", True),
        ("z", "constant", "", False),
    ]


def test_a_digest_is_that_of_the_declaration_s_text() -> None:
    function = declared("package p\n\nfunc F() {\n}\n")["F"]
    assert (function.line, function.end_line) == (3, 4)
    assert function.digest == blake3(b"func F() {\n}").digest()[:8]


def test_a_constant_that_counts_by_iota_changes_with_its_group() -> None:
    before = declared("package p\nconst (\n\tA = iota\n\tB\n\tC = 7\n)\n")
    after = declared("package p\nconst (\n\tZ = iota\n\tA\n\tB\n\tC = 7\n)\n")
    assert before["B"].digest != after["B"].digest
    assert before["C"].digest == after["C"].digest


def test_names_in_other_scripts_are_exported_by_their_case() -> None:
    found = declared("package p\nvar Äpfel, äpfel, 本 int\n")
    assert [found[name].exported for name in ("Äpfel", "äpfel", "本")] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "package", "constraint"),
    [
        ("package main\n", "main", ""),
        ("//go:build linux && !cgo\n\npackage a_test\n", "a_test", "linux && !cgo"),
        ("// Copyright\n\n/* x */\n//go:build ignore\r\n\r\npackage x\r\n", "x", "ignore"),
        ("/*\n//go:build no\n*/\npackage x\n", "x", ""),
        ("package x\n\n//go:build late\n", "x", ""),
        ("//go:builder x\npackage x\n", "x", ""),
        ("", "", ""),
    ],
)
def test_the_interface_has_package_clause_and_build_constraint(text: str, package: str, constraint: str) -> None:
    assert interface(text) == GoInterface(package, constraint)


@pytest.mark.parametrize(
    ("clause", "path"),
    [
        ('package p // import "a.org/m/p"', "a.org/m/p"),
        ('package p // import "a.org/m/p"\r', "a.org/m/p"),
        ('package p /* import "a.org/m/p" */ // more', "a.org/m/p"),
        ("package p //import `a.org/m/p`", "a.org/m/p"),
        ("package p; // import `a.org/m/p`", ""),
        ("package p // import `a.org/m/p` ; more", ""),
        ("package p // import a.org/m/p", ""),
        ('package p // import ""', ""),
        ('package p // import "a b"', ""),
        ('package p // imported "a.org"', ""),
        ('package p\n// import "a.org/m/p"', ""),
        ('package p /* import "a.org\n" */', ""),
    ],
)
def test_the_interface_has_the_import_comment(clause: str, path: str) -> None:
    assert interface(f'{clause}\n\nimport "fmt"\n') == GoInterface("p", "", path)


def test_a_byte_order_mark_moves_nothing() -> None:
    found = facts(b'\xef\xbb\xbfpackage p\nimport "x/y"\nfunc F() {}')
    assert [(i.specifier, i.line) for i in found.imports] == [("x/y", 2)]
    assert found.declarations[0].digest == blake3(b"func F() {}").digest()[:8]
    assert not found.problems


def test_escapes_in_strings_are_read() -> None:
    found = facts(r'package p; import ("\x66mt"; "\u0061/b"; "\141/c"; "a\U00000062c")')
    assert [i.specifier for i in found.imports] == ["fmt", "a/b", "a/c", "abc"]


def test_embed_patterns_are_read_word_by_word() -> None:
    found = facts('package p\nimport "embed"\n//go:embed a "b c" `d e`\tall:f "g\\"h"\nvar x embed.FS\n')
    patterns = [(i.specifier, i.line) for i in found.imports if i.kind is EdgeKind.ASSET]
    assert patterns == [("a", 3), ("b c", 3), ("d e", 3), ("all:f", 3), ('g"h', 3)]


def test_a_broken_embed_directive_is_a_problem() -> None:
    found = facts('package p\nimport "embed"\n//go:embed a "b\nvar x embed.FS\n//go:embed "a"b\nvar y embed.FS\n')
    assert [i.specifier for i in found.imports] == ["embed", "a"]
    assert found.problems == (
        "line 3: invalid quoted string in //go:embed",
        "line 5: invalid quoted string in //go:embed",
    )


@pytest.mark.parametrize("specifier", ["a\0b", "a b", "a\nb", "a\ufffdb", "", "a:b", "a\\b", "\u202e"])
def test_import_paths_that_go_rejects_are_problems(specifier: str) -> None:
    found = facts(f"package p\nimport `{specifier}`\n")
    assert found.imports == ()
    assert any("invalid import path" in each for each in found.problems)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"package",
        b"import",
        b'import "',
        b"package p\nimport (",
        b"package p\nfunc (",
        b"package p\nfunc () M() {}\nfunc (x) N() {}\nfunc (*) O() {}",
        b"package p\nconst (",
        b'package p\nimport "embed"\n//go:embed \xff\nvar x string',
        b"package p\nimport `\xff`\nvar \xff = 1",
        b"//go:build \xff\npackage p",
    ],
)
def test_odd_bytes_give_facts(source: bytes) -> None:
    msgspec.msgpack.encode(facts(source))


@pytest.mark.parametrize(
    "source",
    [
        b"package p\nvar x = " + b"[" * 50_000,
        b"package p\nvar x = " + b"f(" * 10_000 + b")" * 10_000,
        b"package p\nimport (\n" + b'"x/y"\n' * 50_000 + b")\n",
        b'package p\nimport "embed"\nvar (\n' + b"//go:embed x\n" * 50_000 + b"x embed.FS\n)\n",
        b'package p\nimport "embed"\n//go:embed ' + b"x " * 50_000 + b"\nvar x embed.FS\n",
        b'package p\nimport "embed"\n//go:embed "' + b"\\x" * 100_000 + b"\nvar x embed.FS\n",
        b"package p\nconst (\n" + b"A = iota\n" * 20_000 + b")\n",
        b"/*" * 100_000 + b"//go:build x\npackage p\n",
        b"package p\nvar x = " + b"new(" * 10_000 + b"1" + b")" * 10_000,
        b"package p\nfunc (x " + b"*" * 50_000 + b"T) M() {}",
    ],
    ids=range(10),
)
def test_hostile_source_is_read_in_linear_time(source: bytes) -> None:
    started = time.process_time()
    facts(source)
    assert time.process_time() - started < 5


def test_kinds_of_declarations_are_those_of_the_model() -> None:
    assert {d.kind for d in facts(DECLARATIONS).declarations} <= set(DeclarationKind)
