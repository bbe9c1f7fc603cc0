"""The law: after any edits the kept store holds what a fresh one would, in four languages at once, on every backend.

Scripts name every kind of edit; a machine makes up more of them. After every step each kept store is compared with one
made from nothing, byte for byte: exported edges, imports that lead outside, components, coverage, problems, records of
files; and what the run affected with what two graphs from nothing say. WEFT_LAW_EXAMPLES sets how many are made up.
"""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from edit_scripts import (
    ODD_CONTENTS,
    SCRIPTS,
    WORLDS,
    Append,
    Commit,
    Delete,
    Discard,
    Edit,
    Link,
    Move,
    Revert,
    Script,
    Stage,
    Switch,
    Touch,
    World,
    Write,
)
from kept_stores import KeptStores, kept_stores
from warm_boxes import warm_boxes
from weft.pipeline import Remote
from weft_storage.backends import Store, open_store
from workers import running_worker

# Read here: a fixture of every test takes WEFT_* out of the environment.
EXAMPLES = int(os.environ.get("WEFT_LAW_EXAMPLES", "0"))
_NUMBERS = itertools.count()

StoreOpener = Callable[[Path], list[Store]]


@pytest.fixture(autouse=True)
def _warm() -> Iterator[None]:
    with warm_boxes():
        yield


def embedded(folder: Path) -> list[Store]:
    """A store in a file and one in memory."""
    return [open_store(f"sqlite:///{folder}/graph.db"), open_store("memory://")]


# Scripts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_in_a_git_work_tree_leaves_what_a_fresh_scan_finds(
    script: Script, tmp_path: Path, postgres_url: str
) -> None:
    carry_out(script, tmp_path, lambda: [open_store("memory://"), open_store(postgres_url)], git=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_in_a_plain_folder_leaves_what_a_fresh_scan_finds(script: Script, tmp_path: Path) -> None:
    carry_out(script, tmp_path, lambda: [open_store(f"sqlite:///{tmp_path}/graph.db")], git=False)


def carry_out(script: Script, folder: Path, stores: Callable[[], list[Store]], *, git: bool) -> None:
    with kept_stores(folder / "law", WORLDS[script.world], stores, git=git) as kept:
        for step in script.steps:
            kept.step(step)


# Edits that a machine makes up --------------------------------------------------------------------------


_LINES_OF = {".pyi": ".py", ".tsx": ".ts", ".js": ".ts", ".vue": ".ts"}


def contents(world: World, path: str) -> st.SearchStrategy[bytes]:
    """Sources of the file's language: lines that mean something, or odd bytes."""
    suffix = os.path.splitext(path)[1]
    lines = world.lines.get(_LINES_OF.get(suffix, suffix), ("", "1"))
    head, tail = {".go": ("package p\n", ""), ".vue": ("<script>\n", "\n</script>")}.get(suffix, ("", ""))
    chosen = st.lists(st.sampled_from(lines), max_size=4).map(lambda each: (head + "\n".join(each) + tail).encode())
    return st.one_of(chosen, chosen, chosen, st.sampled_from(ODD_CONTENTS))


def writes(world: World, paths: st.SearchStrategy[str]) -> st.SearchStrategy[Edit]:
    return paths.flatmap(lambda path: st.builds(Write, st.just(path), contents(world, path)))


def manifests(world: World) -> st.SearchStrategy[Edit]:
    named = st.sampled_from(sorted(world.manifests))
    return named.flatmap(lambda path: st.builds(Write, st.just(path), st.sampled_from(world.manifests[path])))


def edits(world: World, files: list[str], folders: list[str]) -> st.SearchStrategy[Edit]:
    """Any edit of a repository that holds these files and folders."""
    interesting = st.sampled_from(sorted({*world.files, *world.paths}))
    choices: list[st.SearchStrategy[Edit]] = [
        manifests(world),
        writes(world, interesting),
        st.just(Delete("weft.toml")),
    ]
    if files:
        present = st.sampled_from(files)
        somewhere = present | st.sampled_from(folders) if folders else present
        appended = st.sampled_from(["\n# more\n", "\n// more\n", "\nimport util\n", "\nmod more;\n"])
        choices += [
            writes(world, present),
            st.builds(Append, present, appended),
            st.builds(Touch, present),
            st.builds(Delete, somewhere),
            st.builds(Move, present, interesting),
            st.builds(Link, interesting, targets(somewhere)),
            somewhere.map(lambda path: Move(path, other_case(path))),
            present.map(as_index),
            writes(world, present.map(lambda path: path + "/inner" + os.path.splitext(path)[1])),
        ]
    if folders:
        folder, name = st.sampled_from(folders), st.sampled_from(["app", "lib", "kit", "src", "moved", "svc/lib"])
        choices += [
            st.builds(Move, folder, folder | name),
            st.builds(Link, name, targets(folder)),
            folder.map(lambda path: Write(f"{path}/__init__.py", "")),
            st.builds(Write, folder, st.just("")),
        ]
    return st.one_of(choices)


def targets(paths: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """What links say: mostly a path of the repository, from the folder that many are in."""
    return st.builds(os.path.join, st.sampled_from(["", "..", "../..", "../../..", "../../../.."]), paths)


def other_case(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, name.swapcase() if name[:1].isupper() else name.capitalize())


def as_index(path: str) -> Edit:
    """`x.ts` as `x/index.ts`, `x.py` as `x/__init__.py`, `x.rs` as `x/mod.rs`; and back."""
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    index = {".py": "__init__", ".pyi": "__init__", ".rs": "mod"}.get(suffix, "index")
    if stem == index and folder:
        return Move(path, folder + suffix)
    return Move(path, os.path.join(folder, stem, index + suffix))


@dataclass(frozen=True)
class Setting:
    """What a machine runs on."""

    stores: StoreOpener
    git: bool = False
    remote: Remote | None = None


class IncrementalEqualsFromScratch(RuleBasedStateMachine):
    """Edits of a world; after each the kept stores are scanned and compared."""

    setting: Setting
    kept: KeptStores

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()

    @initialize(name=st.sampled_from(sorted(WORLDS)))
    def begin(self, name: str) -> None:
        self.world = WORLDS[name]
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-law-")))
        stack, setting = self.stack, self.setting
        self.kept = stack.enter_context(
            kept_stores(
                self.folder / "law",
                self.world,
                lambda: setting.stores(self.folder),
                git=setting.git,
                remote=setting.remote,
                project=f"law-{next(_NUMBERS)}",
            )
        )

    def teardown(self) -> None:
        self.stack.close()

    def present(self) -> tuple[list[str], list[str]]:
        """Files and links, and folders."""
        files: list[str] = []
        folders: list[str] = []
        for above, names, leaves in os.walk(self.kept.root):
            names[:] = sorted(name for name in names if name != ".git")
            for name in (*names, *leaves):
                path = os.path.join(above, name)
                real_folder = os.path.isdir(path) and not os.path.islink(path)
                (folders if real_folder else files).append(os.path.relpath(path, self.kept.root))
        files = [file for file in files if file != "weft.toml"]  # One that means nothing is refused, not read.
        return sorted(files), sorted(folders)

    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        self.kept.step(data.draw(st.lists(edits(self.world, *self.present()), min_size=1, max_size=3)))

    @rule(data=st.data())
    def edit_something_else(self, data: st.DataObject) -> None:
        self.edit(data)

    @precondition(lambda self: self.setting.git)
    @rule(edit=st.sampled_from([Stage(), Commit(), Switch("main"), Switch("other"), Revert(), Discard()]))
    def use_git(self, edit: Edit) -> None:
        self.kept.step([edit])

    @precondition(lambda self: self.setting.git)
    @rule(back=st.integers(0, 3))
    def scan_an_earlier_commit(self, back: int) -> None:
        git = self.kept.repository.git
        commits = git("rev-list", "--all", "--max-count=4").split()
        if commits:
            self.kept.look(rev=commits[min(back, len(commits) - 1)])

    @rule()
    def scan_again(self) -> None:
        self.kept.look()
        for run in self.kept.look():
            assert run.counts["analyzed"] == run.counts["cached"] == run.counts["resolved"] == run.affected == 0

    @rule()
    def scan_in_full(self) -> None:
        self.kept.look(full=True)

    @rule()
    def open_again(self) -> None:
        url = f"sqlite:///{self.folder}/graph.db"
        for number, store in enumerate(self.kept.stores):
            if store.url == url:
                store.close()
                self.kept.stores[number] = open_store(url, create=False)


def make_up(setting: Setting, *, examples: int, steps: int) -> None:
    """Run the machine: so many scripts of at most so many steps, or WEFT_LAW_EXAMPLES of them."""
    how = settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    machine = type("Machine", (IncrementalEqualsFromScratch,), {"setting": setting})
    run_state_machine_as_test(machine, settings=how)


def test_any_edits_of_a_folder_leave_what_a_fresh_scan_finds() -> None:
    make_up(Setting(embedded), examples=20, steps=12)


def test_any_edits_of_a_git_work_tree_leave_what_a_fresh_scan_finds() -> None:
    make_up(Setting(embedded, git=True), examples=20, steps=12)


def test_any_edits_leave_in_postgres_what_a_fresh_scan_finds(postgres_url: str) -> None:
    make_up(Setting(lambda _: [open_store(postgres_url)], git=True), examples=10, steps=10)


def test_any_edits_leave_through_workers_what_a_fresh_scan_finds(postgres_url: str, redis_url: str) -> None:
    open_store(postgres_url).close()
    with running_worker(postgres_url, redis_url, concurrency=1):
        remote = Remote(redis_url, inline_below=1)
        make_up(Setting(lambda _: [open_store(postgres_url)], git=True, remote=remote), examples=3, steps=8)
