"""Scripts of .vue, .svelte and .astro files, where a case file cannot say it: bytes, declarations, hostile markup."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft_storage.model.facts import FileFacts
from weft_storage.model.languages import COMPONENTS, Language, language_of
from weft_tasks.extract import extract

KINDS = sorted(COMPONENTS)


def read(source: str | bytes, language: Language = Language.VUE) -> FileFacts:
    return extract(language, source if isinstance(source, bytes) else source.encode())


def imported(facts: FileFacts) -> list[tuple[str, int]]:
    return [(each.specifier, each.line) for each in facts.imports]


def test_names_say_the_kind() -> None:
    assert language_of("a/App.vue") is Language.VUE
    assert language_of("a.svelte") is Language.SVELTE
    assert language_of("pages/[...slug].astro") is Language.ASTRO
    assert language_of("a.svelte.ts") is Language.TYPESCRIPT
    assert language_of(".vue") is None


def test_a_byte_order_mark_and_windows_line_ends_change_no_line() -> None:
    scripts = b'\xef\xbb\xbf<script>\r\nimport "./a"\r\n</script>\r\n<script setup>\r\n\r\nimport "./b"\r\n</script>'
    assert imported(read(scripts)) == [("./a", 2), ("./b", 6)]
    page = b'\xef\xbb\xbf\r\n---\r\nimport "./a"\r\n---\r\n<script>import("./b")</script>'
    assert imported(read(page, Language.ASTRO)) == [("./a", 3), ("./b", 5)]


def test_declarations_have_the_lines_of_the_file() -> None:
    facts = read("<script>\nexport function f() {\n}\n</script>\n<script setup>const g = 1</script>")
    assert [(each.name, each.line, each.end_line, each.exported) for each in facts.declarations] == [
        ("f", 2, 3, True),
        ("g", 5, 5, False),
    ]


@pytest.mark.parametrize("language", KINDS)
def test_a_syntax_error_is_told_where_it_stands_in_the_file(language: Language) -> None:
    fence = "---\n---\n" if language is Language.ASTRO else "\n\n"
    assert read(fence + "  <script>let = = 1</script>", language).problems[0].startswith("syntax error at line 3, col")
    assert read(fence + "<script>\nlet = = 1</script>", language).problems[0].startswith("syntax error at line 4, col")


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "importmap", "text/x-template", "speculationrules"])
@pytest.mark.parametrize("language", KINDS)
def test_data_is_no_script(kind: str, language: Language) -> None:
    facts = read(f'<script type="{kind}">import "./a"</script>', language)
    assert not facts.imports
    assert not facts.problems


@pytest.mark.parametrize("kind", ["", "type=module", "type='text/javascript'", 'type = "Application/JavaScript"'])
def test_attributes_may_be_written_in_every_way(kind: str) -> None:
    assert imported(read(f"<script\n{kind} async>import './a'</script\n>")) == [("./a", 2)]


def test_expressions_in_attributes_may_hold_anything() -> None:
    page = """<script a={`}>`} b={{c: "}>", d: () => 1 > 2}} {...e} {f}>import "./a"</script>"""
    assert imported(read(page, Language.SVELTE)) == [("./a", 1)]


def test_a_dynamic_source_is_no_import() -> None:
    assert not read("<script src={address}></script>", Language.ASTRO).imports
    assert not read("<script src></script>").imports


@pytest.mark.parametrize("language", KINDS)
@pytest.mark.parametrize(
    "piece",
    [
        b"<a>",
        b"<script>",
        b"<script ",
        b"<script a={",
        b'<script a="',
        b"<script></script>",
        b"<script src=./a />",
        b"<template>",
        b"</template>",
        b"<template ",
        b"<!--",
        b"</",
        b"</a",
        b"</script",
        b"{`",
        b"{@html `\\",
        b"---",
        b"---'\\'",
        b"---\n`\\`",
        b"<a\n=\n\"'",
    ],
    ids=lambda piece: repr(piece),
)
def test_hostile_repetition_takes_linear_time(piece: bytes, language: Language) -> None:
    started = time.process_time()
    read(piece * (200_000 // len(piece)), language)
    distinct = b"".join(b"<x%d><script a%d>" % (number, number) for number in range(10_000))
    read(distinct, language)
    assert time.process_time() - started < 5


_PIECES = (
    *("<script", "</script>", ">", " ", "/", "lang=", '"ts"', "'", '"', "{", "}", "`", "---", "\n", "<!--", "-->"),
    *("<template", "</template>", 'import "./a"', "src=", "//", "/*", "*/", "\\", "\x00", "\ufeff", "é"),
)


@given(
    st.lists(st.sampled_from(_PIECES)),
    st.sampled_from(KINDS),
)
def test_any_text_gives_facts_with_lines_of_the_file(parts: list[str], language: Language) -> None:
    source = "".join(parts)
    facts = read(source, language)
    lines = source.split("\n")
    for each in facts.imports:
        assert 1 <= each.line <= len(lines)
        assert "import" in lines[each.line - 1] or "src" in source
