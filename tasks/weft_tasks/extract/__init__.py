"""Extraction: bytes of one file -> its facts. Pure; knows no other file, no store and no clock."""

from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Protocol, cast

from weft_storage.model.facts import FileFacts
from weft_storage.model.languages import Language, family_of


class Extractor(Protocol):
    """What a language module offers. Adding a language is adding one such module and its query."""

    EXTRACTOR_VERSION: int
    """Raised whenever the same bytes may give other facts."""

    def extract(self, source: bytes, language: Language) -> FileFacts:
        """Facts of a file. Total: any bytes give facts, broken ones with `problems`."""
        ...


@cache
def extractor_of(language: Language) -> Extractor:
    """The module that reads a language, imported at first use: a worker that meets no Rust never loads its grammar."""
    return cast(Extractor, import_module(f"weft_tasks.extract.{family_of(language).value}"))


@cache
def extractor_identity(language: Language) -> str:
    """Extractor and grammar version of a language: facts made under another identity are not reused."""
    extractor = extractor_of(language).EXTRACTOR_VERSION
    grammars, runtime = version("tree-sitter-language-pack"), version("tree-sitter")
    return f"{language.value}/{extractor}/{grammars}/{runtime}"


def extract(language: Language, source: bytes) -> FileFacts:
    """Facts of one file of the given language."""
    return extractor_of(language).extract(source, language)
