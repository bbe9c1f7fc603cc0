"""Questions to a published graph: neighbours, orders, cycles, paths, symbols, and what a change affects and why."""

import pytest

from repositories import PROJECT, Repository
from weft import queries
from weft.queries import GraphView
from weft.queries.affected import Change, change_of, last_change
from weft_storage.model.errors import ProjectUnknown, UsageError
from weft_storage.model.files import ChangeKind

CHAIN = {"a.py": "import b\n", "b.py": "import c\n", "c.py": "X = 1\n", "alone.py": ""}

GO = {
    "go.mod": "module example.org/m\n",
    "main.go": 'package main\nimport "example.org/m/a"\nfunc main() { a.F() }\n',
    "a/a.go": 'package a\nimport "example.org/m/nats.go"\nfunc F() { nats.G() }\n',
    "a/other.go": "package a\n",
    "a/a_test.go": "package a\n",
    "nats.go/nats.go": "package nats\nfunc G() {}\n",
    "nats.go/more.go": "package nats\n",
}

# `types.ts` is imported for its types by `a.ts`, directly, and for good by `b.ts`.
TYPES = {
    "a.ts": 'import type { T } from "./types";\nimport { b } from "./b";\n',
    "b.ts": 'import { T } from "./types";\nexport const b = 1;\n',
    "only.ts": 'import type { T } from "./types";\n',
    "types.ts": "export type T = 1;\n",
}


def view_of(repository: Repository, files: dict[str, str]) -> GraphView:
    repository.write(files)
    repository.scan()
    return GraphView(repository.store, PROJECT)


def last(repository: Repository) -> Change:
    return last_change(GraphView(repository.store, PROJECT))


def paths(change: Change) -> list[str]:
    return [file.path for file in change.affected.files]


def steps(change: Change, path: str, *, weak: bool = False) -> list[tuple[str, str]]:
    return [(edge.importer, edge.imported) for edge in change.reasons(weak=weak)[path].path]


# Neighbours ---------------------------------------------------------------------------------------


def test_depth_bounds_both_directions(repository: Repository) -> None:
    view = view_of(repository, CHAIN)
    assert queries.dependencies(view, ["a.py"], depth=1) == ["b.py"]
    assert queries.dependencies(view, ["a.py"]) == ["b.py", "c.py"]
    assert queries.dependents(view, ["c.py"], depth=1) == (["b.py"], [])
    assert queries.dependents(view, ["c.py"]) == (["a.py", "b.py"], [])
    assert queries.dependents(view, ["alone.py"]) == ([], [])


def test_the_files_of_a_cycle_do_not_count_themselves(repository: Repository) -> None:
    view = view_of(repository, {"a.py": "import b\n", "b.py": "import a\n"})
    assert queries.dependencies(view, ["a.py"]) == ["b.py"]
    assert queries.dependents(view, ["a.py"]) == (["b.py"], [])


def test_weak_dependents_are_apart(repository: Repository) -> None:
    view = view_of(repository, TYPES)
    assert queries.dependents(view, ["types.ts"], weak=True) == (["a.ts", "b.ts"], ["only.ts"])
    assert queries.dependents(view, ["types.ts"]) == (["a.ts", "b.ts"], [])


def test_files_of_a_go_package_are_one(repository: Repository) -> None:
    view = view_of(repository, GO)
    assert queries.dependencies(view, ["main.go"]) == ["a", "nats.go"]
    assert queries.dependencies(view, ["a/other.go"]) == ["nats.go"]
    assert queries.dependencies(view, ["a/a_test.go"], depth=1) == ["a"]
    assert queries.dependents(view, ["nats.go/more.go"], depth=1)[0] == ["a/a.go", "a/other.go", "nats.go/nats.go"]


def test_a_go_package_is_named_by_its_directory(repository: Repository) -> None:
    """Also one whose name ends like that of a file, and one that nobody imports."""
    view = view_of(repository, GO)
    everybody = ["a/a.go", "a/a_test.go", "a/other.go", "main.go"]
    assert queries.dependents(view, ["nats.go"])[0] == everybody
    assert queries.dependencies(view, ["a"]) == ["nats.go"]
    assert queries.dependencies(view, ["."]) == ["a", "nats.go"]
    assert view.node(".") == "."


def test_a_path_that_the_graph_does_not_hold(repository: Repository) -> None:
    view = view_of(repository, CHAIN)
    with pytest.raises(UsageError, match=r"gone\.py"):
        view.node("gone.py")
    with pytest.raises(ProjectUnknown):
        _ = GraphView(repository.store, "other").run
    with pytest.raises(UsageError, match="run 99"):
        _ = GraphView(repository.store, PROJECT, at=99).run


# Orders and cycles --------------------------------------------------------------------------------


def test_dependencies_come_before_dependents_and_a_cycle_is_one_entry(repository: Repository) -> None:
    view = view_of(repository, CHAIN | {"c.py": "import d\n", "d.py": "import c\n"})
    assert queries.order(view) == [[["alone.py"], ["c.py", "d.py"]], [["b.py"]], [["a.py"]]]
    assert queries.order(view, ["a.py", "c.py"]) == [[["c.py"]], [["a.py"]]]
    assert queries.order(view, []) == []


def test_an_order_holds_nodes_of_the_graph_only(repository: Repository) -> None:
    view = view_of(repository, {"a.ts": 'import "./d.json";\n', "d.json": "{}", "package.json": "{}", "b.py": "\0"})
    assert queries.order(view) == [[["a.ts"], ["d.json"]]]


def test_an_order_of_go_is_one_of_packages(repository: Repository) -> None:
    view = view_of(repository, GO)
    assert ["nats.go"] in queries.order(view)[0]
    assert queries.order(view, ["main.go", "a/other.go", "nats.go/more.go"]) == [[["nats.go"]], [["a"]], [["."]]]
    assert queries.order(view, ["main.go", "nats.go"]) == [[["nats.go"]], [["."]]]


def test_cycles_of_types_are_none_at_runtime(repository: Repository) -> None:
    view = view_of(repository, TYPES | {"types.ts": 'import type { b } from "./b";\nexport type T = 1;\n'})
    (found,) = queries.cycles(view)
    assert found.members == ("b.ts", "types.ts")
    assert [(edge.importer, edge.imported, edge.line) for edge in found.cycle] == [
        ("b.ts", "types.ts", 1),
        ("types.ts", "b.ts", 1),
    ]
    assert queries.cycles(view, runtime=True) == []


# Paths and symbols --------------------------------------------------------------------------------


def test_why_takes_a_shortest_path(repository: Repository) -> None:
    view = view_of(repository, CHAIN | {"long.py": "import a\nimport b\n"})
    found = queries.why(view, "long.py", "c.py")
    assert found is not None
    assert [(edge.importer, edge.line, edge.imported) for edge in found] == [
        ("long.py", 2, "b.py"),
        ("b.py", 1, "c.py"),
    ]
    assert queries.why(view, "c.py", "a.py") is None
    assert queries.why(view, "a.py", "a.py") == ()


def test_why_goes_from_a_go_test_through_its_package(repository: Repository) -> None:
    view = view_of(repository, GO)
    for imported in ("nats.go", "nats.go/nats.go"):
        found = queries.why(view, "a/a_test.go", imported)
        assert found is not None
        assert [(edge.importer, edge.imported) for edge in found] == [("a/a.go", "nats.go")]


def test_symbols_are_used_by_those_who_name_them(repository: Repository) -> None:
    view = view_of(
        repository,
        {
            "m.py": "def f():\n    pass\nclass C:\n    def f(self):\n        pass\n",
            "one.py": "from m import f\n",
            "all.py": "from m import *\n",
            "none.py": "import m\n",
        },
    )
    found = {
        (use.declaration.parent, use.declaration.name): [edge.importer for edge in use.used_by]
        for use in queries.symbols(view, "m.py")
    }
    assert found == {("", "f"): ["all.py", "one.py"], ("", "C"): ["all.py"], ("C", "f"): []}
    assert queries.symbols(view, "one.py") == []


# Affected -----------------------------------------------------------------------------------------


def test_why_of_a_deleted_file_shows_the_edges_that_were(repository: Repository) -> None:
    view_of(repository, CHAIN)
    repository.delete("c.py")
    repository.scan()
    change = last(repository)
    assert {file.path: file.change for file in change.affected.files} == {
        "a.py": None,
        "b.py": None,
        "c.py": ChangeKind.DELETED,
    }
    assert steps(change, "a.py") == [("a.py", "b.py")]
    assert [file.path for file in change.affected.files if file.resolved_anew] == ["b.py"]


def test_a_renamed_file_affects_the_importers_of_both_names(repository: Repository) -> None:
    view_of(repository, CHAIN | {"new.py": "import moved\n"})
    repository.delete("c.py")
    repository.write({"moved.py": "X = 1\n"})
    repository.scan()
    assert paths(last(repository)) == ["a.py", "b.py", "c.py", "moved.py", "new.py"]


def test_a_go_package_is_affected_whole_and_its_tests_affect_nobody(repository: Repository) -> None:
    view = view_of(repository, GO)
    below = ["a/a.go", "a/a_test.go", "a/other.go", "main.go"]
    assert paths(change_of(view, ["nats.go/more.go"])) == [*below, "nats.go/more.go", "nats.go/nats.go"]
    assert paths(change_of(view, ["a/a_test.go"])) == ["a/a_test.go"]
    repository.write({"nats.go/more.go": "package nats\nvar V = 1\n"})
    repository.scan()
    assert paths(last(repository)) == [*below, "nats.go/more.go", "nats.go/nats.go"]
    assert steps(last(repository), "a/a_test.go") == [("a/a.go", "nats.go")]
    assert steps(last(repository), "main.go") == [("main.go", "a"), ("a/a.go", "nats.go")]


def test_a_changed_go_package_means_its_files(repository: Repository) -> None:
    change = change_of(view_of(repository, GO), ["a"])
    assert {file.path: file.change for file in change.affected.files} == {
        "a/a.go": ChangeKind.MODIFIED,
        "a/other.go": ChangeKind.MODIFIED,
        "a/a_test.go": None,
        "main.go": None,
    }


def test_weak_edges_affect_apart(repository: Repository) -> None:
    change = change_of(view_of(repository, TYPES), ["types.ts"])
    assert paths(change) == ["a.ts", "b.ts", "types.ts"]
    assert [file.path for file in change.affected.weak] == ["only.ts"]
    assert steps(change, "a.ts") == [("a.ts", "b.ts"), ("b.ts", "types.ts")]
    assert steps(change, "only.ts") == []
    assert steps(change, "only.ts", weak=True) == [("only.ts", "types.ts")]


def test_direct_counts_an_edge_by_its_own_strength(repository: Repository) -> None:
    """`a.ts` is affected for good through another file, but imports the changed one only for its types."""
    found = change_of(view_of(repository, TYPES), ["types.ts"]).direct()
    assert [file.path for file in found.files] == ["b.ts", "types.ts"]
    assert [file.path for file in found.weak] == ["a.ts", "only.ts"]


def test_an_earlier_run_is_compared_with_the_one_before_it(repository: Repository) -> None:
    view_of(repository, CHAIN)
    repository.delete("c.py")
    second = repository.scan()
    repository.write({"alone.py": "X = 2\n"})
    repository.scan()
    change = last_change(GraphView(repository.store, PROJECT, at=second.id))
    assert paths(change) == ["a.py", "b.py", "c.py"]
    assert steps(change, "b.py") == []
    assert paths(last(repository)) == ["alone.py"]


def test_why_does_without_a_graph_that_was_collected(repository: Repository) -> None:
    view_of(repository, CHAIN)
    repository.delete("c.py")
    repository.scan()
    repository.store.collect(keep_runs=1)
    change = last(repository)
    assert paths(change) == ["a.py", "b.py", "c.py"]
    assert steps(change, "a.py") == [("a.py", "b.py")]
    assert [file.path for file in change.direct().files] == ["a.py", "b.py", "c.py"]


def test_an_extra_edge_to_a_go_file_leads_to_its_package(repository: Repository) -> None:
    extra = '[[extra_edges]]\nimporter = "tool.py"\nimported = "a/other.go"\n'
    view = view_of(repository, GO | {"tool.py": "", "weft.toml": extra})
    assert queries.dependencies(view, ["tool.py"], depth=1) == ["a"]
    assert "tool.py" in paths(change_of(view, ["nats.go/nats.go"]))
