"""Extraction: bytes of one file -> its facts. Pure; knows no other file, no store and no clock."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Protocol, cast

from weft_storage.model.facts import FileFacts
from weft_storage.model.languages import Family, Language, family_of

EXTRACTOR_VERSIONS: Mapping[Family, int] = {
    Family.PYTHON: 4,
    Family.TYPESCRIPT: 3,
    Family.GO: 2,
    Family.RUST: 3,
}
"""Raised whenever the same bytes may give other facts. They stand here, not in the extractors, because a scan without
changes must compare them and should load no grammar for that."""


class Extractor(Protocol):
    """What a language module offers. Adding a language is adding one such module."""

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
    grammars, runtime = _version("tree-sitter-language-pack"), _version("tree-sitter")
    return f"{language.value}/{EXTRACTOR_VERSIONS[family_of(language)]}/{grammars}/{runtime}"


_version = cache(version)


def extract(language: Language, source: bytes) -> FileFacts:
    """Facts of one file of the given language."""
    return extractor_of(language).extract(source, language)
