"""Extraction of TypeScript and JavaScript, where a case file cannot say it: bytes, declarations, hostile sources."""

import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind, FileFacts
from weft_storage.model.languages import Language
from weft_tasks.extract import extract

LANGUAGES = (Language.TYPESCRIPT, Language.TSX, Language.JAVASCRIPT)


def read(source: str | bytes, language: Language = Language.TYPESCRIPT) -> FileFacts:
    return extract(language, source if isinstance(source, bytes) else source.encode())


def declared(facts: FileFacts) -> list[tuple[str, str, str, bool]]:
    return [(each.name, each.kind.value, each.parent, each.exported) for each in facts.declarations]


def test_every_kind_of_declaration_is_found() -> None:
    facts = read(
        """
export function f() {}
function* g() {}
export default class C { constructor() {} get x() { return 1 } static s() {} #p() {} private q() {} }
export abstract class A { abstract m(): void }
interface I { method(): void }
export type T = string
const enum E { a }
export const one = 1, { two, three: [four, ...five] } = x
declare namespace N { function inner(): void; namespace M { const deep: number } }
declare module "ambient" { export class D {} }
declare global { interface Window {} }
"""
    )
    assert declared(facts) == [
        ("f", "function", "", True),
        ("g", "function", "", False),
        ("C", "class", "", True),
        ("constructor", "method", "C", True),
        ("x", "method", "C", True),
        ("s", "method", "C", True),
        ("#p", "method", "C", False),
        ("q", "method", "C", False),
        ("A", "class", "", True),
        ("m", "method", "A", True),
        ("I", "interface", "", False),
        ("T", "type_alias", "", True),
        ("E", "enum", "", False),
        ("one", "constant", "", True),
        ("two", "constant", "", True),
        ("four", "constant", "", True),
        ("five", "constant", "", True),
        ("N", "module", "", False),
        ("inner", "function", "N", False),
        ("M", "module", "N", False),
        ("deep", "constant", "N.M", False),
        ("ambient", "module", "", False),
        ("D", "class", "ambient", True),
        ("Window", "interface", "global", True),
    ]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("export default function () {}", DeclarationKind.FUNCTION),
        ("export default () => 1", DeclarationKind.FUNCTION),
        ("export default class {}", DeclarationKind.CLASS),
        ("export default { a: 1 }", DeclarationKind.CONSTANT),
    ],
)
def test_an_anonymous_default_export_is_called_default(source: str, kind: DeclarationKind) -> None:
    (declaration,) = read(source).declarations
    assert (declaration.name, declaration.kind, declaration.exported) == ("default", kind, True)


def test_export_lists_export_what_they_name() -> None:
    facts = read("const a = 1, b = 2, c = 3; class K { m() {} }\nexport { a, b as renamed, K };\nexport default c;")
    assert {each.name for each in facts.declarations if each.exported} == {"a", "b", "c", "K", "m"}
    facts = read("const a = 1, b = 2;\nexport = a;")
    assert [each.exported for each in facts.declarations] == [True, False]


def test_commonjs_exports_what_it_assigns() -> None:
    source = "const a = 1, b = 2, c = 3, d = 4; module.exports = { a, x: b }; exports.c = c;"
    assert [each.exported for each in read(source, Language.JAVASCRIPT).declarations] == [True, True, True, False]


def test_all_of_a_script_is_exported() -> None:
    assert declared(read("declare const a: number;\nfunction f() {}")) == [
        ("a", "constant", "", True),
        ("f", "function", "", True),
    ]


def test_a_digest_is_that_of_the_text() -> None:
    def only(source: str) -> Declaration:
        (found,) = (each for each in read(source).declarations if each.name == "f")
        return found

    before, moved = only("export function f() { return 1 }"), only("\n\nexport function f() { return 1 }")
    assert len(before.digest) == 8
    assert before.digest == moved.digest != only("export function f() { return 2 }").digest
    assert (moved.line, moved.end_line) == (3, 3)


def test_a_byte_order_mark_and_line_ends_of_windows_are_read() -> None:
    facts = read(b"\xef\xbb\xbf/// <reference path='./r.d.ts' />\r\nimport {\r\n  a,\r\n} from './a';\r\n")
    assert [(each.specifier, each.line) for each in facts.imports] == [("./r.d.ts", 1), ("./a", 2)]


def test_a_specifier_of_any_bytes_is_text_that_can_be_stored() -> None:
    facts = read(b'import "./\xff\x01";import("./\\ud800");\nrequire("./\\u{110000}");')
    assert [each.specifier for each in facts.imports] == ["./\ufffd\x01", "./\ufffd", "./\ufffd"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=FileFacts) == facts


def test_imports_at_any_depth_stand_in_source_order() -> None:
    facts = read("import 'a';\nfunction f() { if (x) { return [() => import('b')] } }\nimport 'c';\ng(require('d'));")
    assert [each.specifier for each in facts.imports] == ["a", "b", "c", "d"]


def test_words_in_strings_and_comments_are_no_imports() -> None:
    source = """const s = "import('a')"; // import('b')
/* require("c") */ const t = `import("d") ${import("e")}`; const r = /require("f")/; x.import("g"); x.require("h");
"""
    assert [each.specifier for each in read(source).imports] == ["e"]


def test_import_types_are_understood_wherever_a_type_may_stand() -> None:
    source = """
let a: import("./a").A<string>[] = [];
function b(x: Promise<import("./b").B[]>, y = <import("./c").C>z): keyof typeof import("./d") {}
type U = { [K in import("./e").E]: Map<import("./f").F, typeof import("./g")> };
const v = w as import("./h").H;
class X extends Y<import("./i").I> implements import("./j").J {}
const value = await import("./k");
"""
    facts = read(source)
    assert [(each.specifier, each.kind) for each in facts.imports] == [
        *((f"./{letter}", EdgeKind.TYPE) for letter in "abcdefghij"),
        ("./k", EdgeKind.DYNAMIC),
    ]
    assert not facts.problems


@pytest.mark.parametrize("language", LANGUAGES)
@given(source=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_give_facts(language: Language, source: bytes) -> None:
    facts = extract(language, source)
    assert facts.language is language
    assert facts == extract(language, source)


_PIECES = (
    "import ", "export ", "type ", "{ a }", " from ", '"./x"', "'y", "require(", "import(", ")", "}", "{", "(", "<T>",
    "class A ", "namespace N ", "/** @import ", "*/", "//", "\n", "`", "${", "vi.mock(", "=", "default ", "* as n",
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@given(pieces=st.lists(st.sampled_from(_PIECES), max_size=25))
@settings(max_examples=120, deadline=None)
def test_any_mixture_of_syntax_gives_facts(language: Language, pieces: list[str]) -> None:
    facts = extract(language, "".join(pieces).encode())
    assert [each.line for each in facts.imports] == sorted(each.line for each in facts.imports)


@pytest.mark.parametrize(
    "piece",
    [
        b'require("./a");\n',
        b'import("./a");\n',
        b"import(`./a`);\n",
        b"import\n",
        b"import a\n",
        b'} ) ] import {x} from "y"\n',
        b"[",
        b'import("x",(',
        b"require(",
        b"export import ",
        b"namespace a {",
        b"/** @import */",
        b'/** {import("x")} */',
        b"/// <reference path path\n",
        b'vi.mock("x");',
        b"await ",
    ],
    ids=lambda piece: repr(piece),
)
def test_hostile_repetition_takes_linear_time(piece: bytes) -> None:
    started = time.process_time()
    read(piece * (200_000 // len(piece)), Language.JAVASCRIPT)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("language", [Language.TYPESCRIPT, Language.JAVASCRIPT, Language.TSX])
def test_patterns_of_import_meta_glob_are_read_where_they_are_literals(language: Language) -> None:
    source = """
const a = import . meta . glob("./a/*.ts");
const b = import.meta.glob([`./b/*`, "!./b/x", './c/*'], { eager: true, import: "z" });
import.meta.globEager("./d/*"); import.meta.glob("./e/*", { base: "../up" });
import.meta.glob(pattern); import.meta.glob(["./f/*", pattern]); import.meta.glob();
import.meta.globes("./g/*"); import.meta.url;
"""
    found = [(each.specifier, each.kind, each.names, each.detail) for each in read(source, language).imports]
    assert found == [
        ("./a/*.ts", EdgeKind.DYNAMIC, ("*",), "glob"),
        ("./b/*", EdgeKind.IMPORT, ("z",), "glob\n./b/x"),
        ("./c/*", EdgeKind.IMPORT, ("z",), "glob\n./b/x"),
        ("./d/*", EdgeKind.IMPORT, ("*",), "glob"),
        ("../up/e/*", EdgeKind.DYNAMIC, ("*",), "glob"),
    ]
