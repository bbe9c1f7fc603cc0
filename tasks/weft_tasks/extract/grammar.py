"""Grammars: the tree-sitter parser and the query of a language, made once per process."""

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from tree_sitter import Language as Grammar
from tree_sitter import Parser, Query, QueryCursor
from tree_sitter_language_pack import get_language

from weft_storage.model.languages import Language

if TYPE_CHECKING:
    from tree_sitter import Node


@cache
def grammar_of(language: Language) -> Grammar:
    """The grammar that reads a language."""
    return get_language(language.value)


@cache
def parser_of(language: Language) -> Parser:
    """A parser of the language; not safe to share between threads."""
    return Parser(grammar_of(language))


@cache
def query_of(language: Language, name: str) -> Query:
    """The query in `queries/<name>.scm`, compiled for the grammar of the language."""
    text = resources.files(__package__).joinpath("queries", f"{name}.scm").read_text(encoding="utf-8")
    return Query(grammar_of(language), text)


def captures(query: Query, node: "Node", *, max_start_depth: int | None = None) -> "dict[str, list[Node]]":
    """Nodes by capture name, each list in source order (tree-sitter's own order is not stable).

    `max_start_depth` bounds how deep below `node` a match may start: a query over the whole tree costs 30-45 % of
    the parse, one of depth 1 or 2 costs 2-10 %.
    """
    cursor = QueryCursor(query)
    if max_start_depth is not None:
        cursor.set_max_start_depth(max_start_depth)
    found = cursor.captures(node)
    for nodes in found.values():
        nodes.sort(key=lambda each: (each.start_byte, -each.end_byte))
    return found
