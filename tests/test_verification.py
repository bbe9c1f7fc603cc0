"""Verification: what damage of a store it finds, in which words, and that a sample finds it as well as a rebuild."""

from collections.abc import Callable, Iterator

import pytest
from blake3 import blake3
from msgspec.structs import replace

from edit_scripts import WORLDS, Append, Delete, Edit, Link, Write, apply
from repositories import PROJECT, Repository
from warm_boxes import warm_boxes
from weft.configuration import settings_of
from weft.pipeline import Options, analyze
from weft.report.documents import Difference, DifferenceKind, DifferenceSubject, SampleEntry
from weft.verification import SampleSize, verify, verify_sample
from weft.verification.sample import choose
from weft_storage.model.errors import RepositoryError
from weft_storage.model.languages import Language
from weft_storage.model.runs import ImporterRow, Publication, Run
from weft_tasks.extract import extract
from weft_tasks.extract.encoding import encode_facts, facts_key
from weft_tasks.finalize.watching import Silent

ALL = SampleSize(100, percent=True)

Finder = Callable[..., list[Difference]]


@pytest.fixture(autouse=True)
def _warm() -> Iterator[None]:
    with warm_boxes():
        yield


def rebuild(repository: Repository, *, rev: str | None = None) -> list[Difference]:
    root = str(repository.root)
    return verify(repository.store, root, settings_of(root, rev), Options(PROJECT, rev=rev), Silent())[1]


def sample(
    repository: Repository, *, rev: str | None = None, size: SampleSize = ALL, seed: int = 1
) -> tuple[SampleEntry, list[Difference]]:
    root, options = str(repository.root), Options(PROJECT, rev=rev)
    run, entry, found = verify_sample(
        repository.store, root, settings_of(root, rev), options, Silent(), size=size, seed=seed
    )
    assert run.state.value in ("published", "incomplete")
    return entry, found


def whole_sample(repository: Repository, *, rev: str | None = None) -> list[Difference]:
    return sample(repository, rev=rev)[1]


both = pytest.mark.parametrize("find", [rebuild, whole_sample])


@pytest.mark.parametrize("name", sorted(WORLDS))
@both
def test_a_store_that_was_kept_over_edits_is_right(find: Finder, name: str, git_repository: Repository) -> None:
    git_repository.write(WORLDS[name].files)
    git_repository.commit()
    git_repository.scan()
    edits: list[Edit] = [
        Link("lib/linked.py", "../src/app/util.py"),
        Write("lib/binary.py", b"\0"),
        Append("lib/tools.py", "import lib.absent\n"),
    ]
    apply(
        str(git_repository.root),
        [*edits, Write("lib/broken.ts", "import {"), Delete("svc/api/api.go"), Link("lib/away.py", "/etc/passwd")],
    )
    apply(
        str(git_repository.root),
        [Write("weft.toml", '[[extra_edges]]\nimporter = "lib/broken.ts"\nimported = "lib/binary.py"\n')],
    )
    assert find(git_repository) == []
    assert find(git_repository, rev="HEAD") == []


def stored(repository: Repository, publication: Publication) -> None:
    """Publish something else of the same run's repository: damage as no database would notice it."""
    run = repository.store.published(PROJECT)
    assert run is not None
    with repository.store.lock(PROJECT, timeout=5):
        begun = repository.store.begin(Run(project=PROJECT))
        kept = {name: getattr(run, name) for name in run.__struct_fields__} | {"id": begun.id}
        repository.store.publish(Publication(Run(**kept), rows=publication.rows, files=publication.files))


@both
def test_an_edge_that_is_missing_and_one_too_many_are_named(find: Finder, repository: Repository) -> None:
    repository.write({"a.py": "import b\nimport c\n", "b.py": "", "c.py": "", "d.py": ""})
    repository.scan()
    edges = {edge.imported: edge for edge in repository.edges()}
    wrong = (replace(edges["b.py"], imported="d.py"), replace(edges["c.py"], line=7, names=("x",)))
    stored(repository, Publication(Run(project=PROJECT), rows=[ImporterRow("a.py", tuple(sorted(wrong)))]))
    found = [each for each in find(repository) if each.what is DifferenceSubject.EDGE]
    assert [(each.kind, each.file, each.detail, each.stored, each.right) for each in found] == [
        (DifferenceKind.MISSING, "a.py", "a.py -> b.py (import)", (), ("line 1", "specifier 'b'")),
        (DifferenceKind.DIFFERENT, "a.py", "a.py -> c.py (import)", ("line 7", "names x"), ("line 2",)),
        (DifferenceKind.UNEXPECTED, "a.py", "a.py -> d.py (import)", ("line 1", "specifier 'b'"), ()),
    ]


@both
def test_facts_that_are_not_those_of_the_content_are_named(find: Finder, repository: Repository) -> None:
    own, other = b"import b\n\ndef f(): ...\n", b"def g(): ...\n"
    key = facts_key(blake3(own).digest(16), Language.PYTHON)
    # Stored before the scan, which believes them: keys are the only name that facts have.
    repository.store.put_facts([encode_facts(key, extract(Language.PYTHON, other))])
    repository.write({"a.py": own, "b.py": ""})
    repository.scan()
    found = {each.what: each for each in find(repository)}
    facts = found[DifferenceSubject.FACTS]
    assert (facts.kind, facts.file) == (DifferenceKind.DIFFERENT, "a.py")
    assert "import 'b' (import) line 1" in facts.right
    assert "declaration function f line 3 to 3" in facts.right
    assert "declaration function g line 1 to 1" in facts.stored
    assert found[DifferenceSubject.FILE].file == "a.py"
    assert found[DifferenceSubject.EDGE].detail == "a.py -> b.py (import)"


def test_a_sample_is_chosen_by_its_seed_alone(git_repository: Repository) -> None:
    git_repository.write({f"m{number}.py": "import os\n" for number in range(40)} | {"package.json": "{}"})
    git_repository.scan()
    entry, found = sample(git_repository, size=SampleSize(5), seed=3)
    assert (entry.files, entry.of, entry.seed, found) == (5, 40, 3, [])
    paths = [f"m{number}.py" for number in range(40)]
    assert choose(paths, 5, 3) == choose(paths[::-1], 5, 3) != choose(paths, 5, 4)
    assert len({path for seed in range(60) for path in choose(paths, 5, seed)}) == 40


@pytest.mark.parametrize(
    ("size", "files"),
    [
        (SampleSize(1), 1),
        (SampleSize(0.1, percent=True), 1),
        (SampleSize(50, percent=True), 20),
        (SampleSize(900), 40),
        (ALL, 40),
    ],
)
def test_sizes(size: SampleSize, files: int) -> None:
    assert size.of(40) == files


def test_an_empty_repository_has_an_empty_sample(repository: Repository) -> None:
    repository.scan()
    assert sample(repository) == (SampleEntry(files=0, of=0, seed=1), [])


@pytest.mark.parametrize("check", [rebuild, whole_sample])
def test_files_that_keep_changing_are_no_differences(
    check: Finder, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write({"a.py": "import b\n", "b.py": ""})
    repository.scan()
    rounds = iter(range(1000))

    def compared(*_: object) -> list[Difference]:
        repository.write({"a.py": f"x = {next(rounds)}\n"})
        return [Difference(kind=DifferenceKind.MISSING, what=DifferenceSubject.EDGE, detail="x")]

    monkeypatch.setattr("weft.verification.rebuild.differences", compared)
    monkeypatch.setattr("weft.verification.sample.compare", compared)
    if check is rebuild:
        scans = iter(range(1000))
        real = analyze

        def edit_and_analyze(*arguments: object) -> Run:
            repository.write({"b.py": f"x = {next(scans)}\n"})
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr("weft.verification.rebuild.analyze", edit_and_analyze)
    with pytest.raises(RepositoryError, match="keep changing"):
        check(repository)
