"""The command: compare Weft with authorities on repositories, or on the pinned cases. The only place that prints."""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias, cast

import click

from conformance import corpora, register, scores
from conformance.base import Authority, ConformanceError, Difference, Finding, LanguageConformance
from conformance.comparison import Comparison, compare, impossible, joined
from conformance.graphs import WeftGraph, scan
from conformance.register import DifferenceClass
from weft_storage.model.errors import WeftError

# A language is a package here with the names of `LanguageConformance`, and a register/<language>.toml.
LANGUAGES = ("python", "go", "typescript", "rust")

_REGISTER = corpora.HERE.parent / "docs" / "conformance.md"
_SCORES = corpora.HERE.parent / "docs" / "scores.md"


@click.command()
@click.argument("repositories", nargs=-1, type=click.Path(), metavar="[REPOSITORY]...")
@click.option("--language", default=",".join(LANGUAGES), show_default=True, help="Languages, separated by commas.")
@click.option("--without", multiple=True, metavar="AUTHORITY", help="Leave out an authority, such as rust-analyzer.")
@click.option("--rev", default="HEAD", show_default=True, help="The commit of every REPOSITORY.")
@click.option("--scores", "page", type=click.Path(path_type=Path), help="Merge the figures into this page.")
@click.option("--register-only", is_flag=True, help="Only write docs/conformance.md from the register.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Weft's processes.")
def main(
    repositories: Sequence[str],
    language: str,
    without: Sequence[str],
    rev: str,
    page: Path | None,
    register_only: bool,
    jobs: int,
) -> None:
    """Compare Weft's edges with what each language's authorities say.

    REPOSITORY is a work tree, a bare repository (both at --rev) or a plain folder; without any, the pinned inputs are
    compared: every step of every case file. Exits 1 where a difference is unexplained or an edge impossible.
    """
    try:
        chosen = {name: _authorities(name, without) for name in _languages(language)}
        if register_only:
            _write_register(page or _SCORES)
            return
        rows: list[scores.Row] = []
        for repository in repositories:
            rows += _compare_repository(corpora.corpus_of(repository, rev), chosen, jobs)
        if not repositories:
            rows += _compare_cases(chosen)
        if page is not None:
            scores.save(page, scores.merge(scores.load(page), rows))
            _write_register(page)
    except WeftError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(any(row.unexplained or row.findings for row in rows))


def _languages(written: str) -> list[str]:
    names = [name.strip() for name in written.split(",") if name.strip()]
    unknown = sorted(set(names) - set(LANGUAGES))
    if unknown:
        raise click.UsageError(f"no authorities for {', '.join(unknown)}; there are: {', '.join(LANGUAGES)}")
    return names


Chosen: TypeAlias = Mapping[str, Sequence[Authority]]
"""The authorities to ask, by language."""


def _authorities(language: str, without: Sequence[str]) -> list[Authority]:
    return [each for each in _conformance(language).AUTHORITIES if each.name not in without]


def _conformance(language: str) -> LanguageConformance:
    return cast(LanguageConformance, import_module(f"conformance.{language}"))


def classes_of_language(language: str) -> list[DifferenceClass]:
    """The register of a language."""
    return register.classes_of(language, _conformance(language).PREDICATES)


def _write_register(page: Path) -> None:
    classes = [each for language in LANGUAGES for each in classes_of_language(language)]
    text = register.render(classes, scores.explained(scores.load(page)))
    _REGISTER.write_text(text, encoding="utf-8")


def _compare_repository(corpus: corpora.Corpus, chosen: Chosen, jobs: int) -> list[scores.Row]:
    with corpora.exported(corpus) as root:
        started = time.monotonic()
        graph = scan(corpus.source if corpus.rev else root, root, rev=corpus.rev, jobs=jobs)
        click.echo(f"{corpus.name}: {len(graph.files):,} files scanned in {time.monotonic() - started:.1f} s", err=True)
        return [row for language in chosen for row in _rows(corpus, language, chosen[language], root, graph)]


def _rows(
    corpus: corpora.Corpus, language: str, authorities: Sequence[Authority], root: str, graph: WeftGraph
) -> Iterator[scores.Row]:
    offered = _conformance(language)
    if any(path.endswith(offered.SUFFIXES) for path in graph.files):
        findings = [*impossible(root, graph, offered.SUFFIXES), *offered.findings(root, graph)]
        for authority in authorities:
            outcome = compare(authority, root, graph, classes_of_language(language))
            yield _reported(corpus.name, corpus.rev or "", language, outcome, findings)


def _compare_cases(chosen: Chosen) -> list[scores.Row]:
    rows = []
    for language, authorities in chosen.items():
        offered, classes = _conformance(language), classes_of_language(language)
        pinned = register.pinned_of(language)
        parts: defaultdict[str, list[Comparison]] = defaultdict(list)
        findings: list[Finding] = []
        for case in corpora.case_corpora(language):
            with tempfile.TemporaryDirectory(prefix="weft-conformance-") as root:
                corpora.write_step(case.step, root)
                graph = scan(root, root, rev=None, jobs=1)
                found = [*impossible(root, graph, offered.SUFFIXES), *offered.findings(root, graph)]
                findings += [replace(each, importer=f"{case.name}: {each.importer}") for each in found]
                mine = [*classes, *(each for each in pinned if each.title == case.name)]
                for authority in authorities:
                    parts[authority.name].append(compare(authority, root, graph, mine).named(case.name))
        outcomes = [joined(each) for each in parts.values()]
        rows += [_reported(corpora.CASE_CORPUS, "", language, each, findings) for each in outcomes]
        if sum(each.classes.get(register.PINNED, 0) for each in outcomes) != len(pinned):
            raise ConformanceError(
                f"register/{language}.toml", "pins what is no difference any more", "remove it there"
            )
    return rows


def _reported(corpus: str, commit: str, language: str, outcome: Comparison, findings: Sequence[Finding]) -> scores.Row:
    """The row of a comparison, which is also printed."""
    row = scores.Row(
        corpus=corpus,
        commit=commit,
        language=language,
        authority=outcome.authority,
        version=outcome.version,
        weft=version("weft"),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        files=outcome.files,
        unread=outcome.unread,
        edges=outcome.edges,
        raw_precision=outcome.raw_precision,
        raw_recall=outcome.raw_recall,
        precision=outcome.precision,
        recall=outcome.recall,
        unexplained=tuple(f"{at(each)} {each.side}" for each in outcome.unexplained),
        findings=tuple(f"{each.importer}:{each.line} -> {each.imported} {each.problem}" for each in findings),
        classes=outcome.classes,
    )
    click.echo(
        f"{corpus} {row.authority} {row.version}: {row.files:,} files ({row.unread} unread), {row.edges:,} edges, "
        f"raw {scores.show(row.raw_precision)} / {scores.show(row.raw_recall)}, "
        f"precision {scores.show(row.precision)}, recall {scores.show(row.recall)}, "
        f"{len(row.unexplained)} unexplained, {len(row.findings)} wrong"
    )
    for name, count in row.classes.items():
        click.echo(f"  {count:>6}  {name}")
    for each in (*row.unexplained, *row.findings):
        click.echo(f"  {each}")
    return row


def at(difference: Difference) -> str:
    """A difference as file:line -> file."""
    specifier = f" ({difference.edge.specifier})" if difference.edge else ""
    return f"{difference.importer}:{difference.line} -> {difference.imported}{specifier}"


if __name__ == "__main__":
    main()
