"""Extraction of Rust where a case file cannot say it: declarations, lines, odd bytes, hostile files."""

import time

import msgspec
import pytest

from weft_storage.model.facts import DeclarationKind, EdgeKind, FileFacts, Import
from weft_storage.model.interfaces.rust import RustInterface, RustModule, RustUse
from weft_storage.model.languages import Language
from weft_tasks.extract import extract
from weft_tasks.extract.rust_scan import scan


def facts_of(source: str | bytes) -> FileFacts:
    return extract(Language.RUST, source.encode() if isinstance(source, str) else source)


def interface_of(source: str) -> RustInterface:
    return msgspec.msgpack.decode(facts_of(source).interface, type=RustInterface)


def specifiers(source: str | bytes) -> list[str]:
    return [imported.specifier for imported in facts_of(source).imports]


def test_every_kind_of_declaration_is_found() -> None:
    source = """
pub fn f() {}
struct S;
pub(crate) enum E { A }
union U { a: u8 }
pub trait T { fn required(&self); const C: u8; type A; }
type Alias = u8;
const K: u8 = 1;
static G: u8 = 1;
mod m { pub struct Inner; impl Inner { pub fn new() {} } }
mod file;
#[macro_export]
macro_rules! shout { () => {} }
macro_rules! whisper { () => {} }
impl<'a, X> std::fmt::Display for Wrapper<'a, X> { fn fmt(&self) {} }
impl S { fn private(&self) {} pub fn public(&self) {} }
extern "C" { pub fn c_call(); }
"""
    found = {(d.parent, d.name): (d.kind, d.exported) for d in facts_of(source).declarations}
    kind = DeclarationKind
    assert found == {
        ("", "f"): (kind.FUNCTION, True),
        ("", "S"): (kind.CLASS, False),
        ("", "E"): (kind.ENUM, True),
        ("", "U"): (kind.CLASS, False),
        ("", "T"): (kind.INTERFACE, True),
        ("T", "required"): (kind.METHOD, True),
        ("T", "C"): (kind.CONSTANT, True),
        ("T", "A"): (kind.TYPE_ALIAS, True),
        ("", "Alias"): (kind.TYPE_ALIAS, False),
        ("", "K"): (kind.CONSTANT, False),
        ("", "G"): (kind.CONSTANT, False),
        ("", "m"): (kind.MODULE, False),
        ("m", "Inner"): (kind.CLASS, True),
        ("m.Inner", "new"): (kind.METHOD, True),
        ("", "file"): (kind.MODULE, False),
        ("", "shout"): (kind.MACRO, True),
        ("", "whisper"): (kind.MACRO, False),
        ("Wrapper", "fmt"): (kind.METHOD, True),
        ("S", "private"): (kind.METHOD, False),
        ("S", "public"): (kind.METHOD, True),
        ("", "c_call"): (kind.FUNCTION, True),
    }


def test_declarations_inside_macro_calls_are_found_with_their_lines() -> None:
    source = """
cfg_rt! {
    cfg_inner! {
        pub struct Deep;
    }
    impl Deep { pub fn go() {} }
}
cfg_if! {
    if #[cfg(unix)] { fn arm() {} } else { struct Other; }
}
"""
    found = [(d.parent, d.name, d.line) for d in facts_of(source).declarations]
    assert found == [("", "Deep", 4), ("Deep", "go", 6), ("", "arm", 9), ("", "Other", 9)]


def test_the_digest_of_a_declaration_is_that_of_its_text() -> None:
    before, after = (facts_of(f"// {note}\nfn f() {{ {body} }}\nfn g() {{}}\n") for note, body in (("a", 1), ("b", 2)))
    assert before.declarations[0].digest != after.declarations[0].digest
    assert before.declarations[1].digest == after.declarations[1].digest
    assert len(before.declarations[0].digest) == 8


def test_imports_stand_in_source_order_with_the_line_of_the_leaf() -> None:
    found = facts_of("use a::{\n  b,\n  c::{self, d},\n};\nmod m;\nfn f() { crate::x::y(); crate::x::y() }\n").imports
    assert found == (
        Import("a::b", EdgeKind.IMPORT, 2, ("b",)),
        Import("a::c", EdgeKind.IMPORT, 3, ("c",)),
        Import("a::c::d", EdgeKind.IMPORT, 3, ("d",)),
        Import("m", EdgeKind.MODULE, 5, ("m",)),
        Import("crate::x::y", EdgeKind.IMPORT, 6, ("y",), detail="call"),
    )


def test_a_path_is_kept_once_per_scope() -> None:
    source = (
        "fn f() { crate::a::b(); }\nmod m { fn f() { crate::a::b(); crate::a::b(); } }\nfn g() { crate::a::b(); }\n"
    )
    assert [(i.scope, i.line) for i in facts_of(source).imports] == [("", 1), ("m", 2)]


def test_paths_are_written_without_whitespace_and_raw_marks() -> None:
    assert specifiers("use crate :: a ::\n  r#type :: B;\nfn f() { crate :: r#mod :: g () }\n") == [
        "crate::a::type::B",
        "crate::mod::g",
    ]


def test_the_interface_tells_which_names_others_may_follow() -> None:
    source = """
pub use a::b as c;
use d::*;
fn f() { use local::x; }
#[cfg_attr(unix, path = "u.rs")] #[macro_use] pub mod m;
mod inline { pub(super) use e::f; }
pub enum lower {}
make_things! { 1 + 1 }
"""
    interface = interface_of(source)
    assert interface.uses == (
        RustUse("c", "a::b", public=True),
        RustUse("*", "d::*"),
        RustUse("x", "local::x", local=True),
        RustUse("f", "e::f", scope="inline", public=True),
    )
    assert interface.modules == (
        RustModule("m", paths=("u.rs",), conditional=True, macro_use=True, public=True),
        RustModule("inline", inline=True),
    )
    assert interface.types == ("lower",)
    assert interface.open == ("",)


def test_editing_a_function_leaves_the_interface_alone() -> None:
    before, after = facts_of("mod a;\npub fn f() { 1 }\n"), facts_of("mod a;\npub fn f() { g(2) }\npub struct S;\n")
    assert before.interface == after.interface


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"\xef\xbb\xbfuse crate::a;\r\nmod b;\r\n", ["crate::a", "b"]),
        (b"#!/usr/bin/env rust\nuse crate::a;", ["crate::a"]),
        (b"use crate::\xff\xfe::a;", ["crate::\ufffd\ufffd::a"]),
        ("use crate::größe::Maß;".encode(), ["crate::größe::Maß"]),
        (b"use a\0b;\nuse crate::c;", ["crate::c"]),
        (b"let c = 'a'; let q = '\"'; let l: &'static str = \"\"; use crate::a;", ["crate::a"]),
        (b"let c = '\\''; let d = '\\\\'; let e = b'\"'; let f = '\\u{1F600}'; use crate::a;", ["crate::a"]),
        (b'let s = br##"use x; "# use y;"##; use crate::a;', ["crate::a"]),
        (b"/* /* use x; */ use y; */ use crate::a; // use z;", ["crate::a"]),
        (b'let s = "unterminated; use crate::a;', []),
        (b'let s = r#"unterminated; use crate::a;', []),
        (b"/* unterminated use crate::a;", []),
        (b"", []),
    ],
)
def test_tokens_are_told_apart_as_rustc_does(source: bytes, expected: list[str]) -> None:
    assert specifiers(source) == expected


def test_a_syntax_error_is_one_sentence_with_its_line() -> None:
    assert facts_of("fn f() {}\nfn g( {\n").problems == ("line 2: not understood as Rust",)
    assert facts_of("fn f() {}\n").problems == ()


HOSTILE = {
    "use without end": b"use a " * 100_000,
    "use with a late end": b"use a " * 100_000 + b";",
    "nested groups": b"use " + b"a::{" * 50_000 + b"}" * 50_000 + b";",
    "wide group": b"use a::{" + b"b," * 200_000 + b"};",
    "long path": b"use " + b"a::" * 100_000 + b"b;",
    "nested brackets": b"fn f() " + b"{" * 10_000 + b"}" * 10_000,
    "nested modules": b"mod a {" * 20_000 + b"use super::x;" + b"}" * 20_000,
    "nested calls": b"m!{ mod a { use b; " * 5_000 + b"}}" * 5_000,
    "open comments": b"/* x " * 100_000,
    "open attributes": b'#[path = "' * 50_000,
    "run of attributes": b"#[cfg_attr(a, b)]\n" * 50_000,
    "nested open attributes": b"#[path=#[path=]x" * 20_000,
    "macro definitions": b"macro_rules! m { () => { macro_rules! n { " * 10_000,
    "quotes": b"'" * 200_000,
    "colons": b"::" * 200_000,
    "impls": b"impl A {" * 20_000,
    "visibilities": b"pub(" * 100_000 + b"use a;" * 1_000,
    "bytes": bytes(range(256)) * 2_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_takes_linear_time(name: str) -> None:
    started = time.process_time()
    facts_of(HOSTILE[name])
    assert time.process_time() - started < 12, "several times what the slowest takes"


@pytest.mark.parametrize("source", [*HOSTILE.values(), b'r##" x ' * 100_000, b'include!(r#"' * 50_000], ids=range(20))
def test_the_scan_of_a_hostile_file_takes_linear_time(source: bytes) -> None:
    """Without the parser, whose scanner goes back to the start of every raw string that never ends."""
    started = time.process_time()
    scan(source, {}, (), {}, {})
    assert time.process_time() - started < 8
