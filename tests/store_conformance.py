"""What every store must do. A backend is done when its test class inherits this one and gives it a `store`."""

import threading
from array import array
from collections.abc import Iterator

import msgspec
import pytest

from store_samples import (
    ODD_NAMES,
    ODD_TEXT,
    Graph,
    check,
    check_numbers,
    digest,
    edge,
    external,
    facts,
    publish,
    record,
    row,
    unresolved,
)
from weft_storage.backends import Part, Store
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.errors import StoreBusy, StoreUnavailable, UsageError
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import Content, FileRecord, FileStatus, Trait
from weft_storage.model.languages import Language
from weft_storage.model.runs import ImporterRow, Problem, Publication, Run, RunState, StoredFacts

ALL_PARTS = Part.IMPORTS | Part.DECLARATIONS | Part.INTERFACE


class StoreConformance:
    """Tests of the contract in `weft_storage.backends.base`."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError

    # Caches ----------------------------------------------------------------------------------------

    def test_facts_come_back_as_they_were_put(self, store: Store) -> None:
        put = [
            StoredFacts(digest(1), bytes(range(256)) * 100, b"\x90", b"", ("a", ODD_TEXT)),
            StoredFacts(digest(2), b"", b"", b""),
            StoredFacts(digest(3), b"x" * 2_500_000, b"\0", b"\xff" * 300),
        ]
        store.put_facts(put)
        found = sorted(store.facts([each.key for each in put], ALL_PARTS), key=lambda each: each.key)
        assert found == sorted(put, key=lambda each: each.key)

    @pytest.mark.parametrize("part", list(Part))
    def test_only_the_wanted_part_of_facts_comes_but_problems_always(self, store: Store, part: Part) -> None:
        put = facts(1)
        store.put_facts([put])
        assert list(store.facts([put.key], part)) == [
            StoredFacts(
                put.key,
                imports=put.imports if part is Part.IMPORTS else b"",
                declarations=put.declarations if part is Part.DECLARATIONS else b"",
                interface=put.interface if part is Part.INTERFACE else b"",
                problems=put.problems,
            )
        ]

    def test_unknown_and_repeated_keys_of_facts_do_no_harm(self, store: Store) -> None:
        store.put_facts([facts(1)])
        keys = [digest(1), digest(1), digest(2)]
        assert list(store.facts(keys, ALL_PARTS)) == [facts(1)]
        assert store.known_facts(keys) == {digest(1)}
        assert store.known_facts([]) == set()
        assert list(store.facts([], ALL_PARTS)) == []

    def test_putting_facts_again_changes_nothing(self, store: Store) -> None:
        store.put_facts([facts(1), facts(1)])
        store.put_facts([facts(1), facts(2)])
        assert store.stats()["facts"] == 2
        assert {each.key for each in store.facts([digest(1), digest(2)], ALL_PARTS)} == {digest(1), digest(2)}

    def test_facts_are_taken_and_given_as_streams(self, store: Store) -> None:
        # While they stream, the store can be used for other things: nothing is held until the end.
        def slowly() -> Iterator[StoredFacts]:
            for number in range(2000):
                yield facts(number, size=3000)
                store.quarantine({digest(number): "x"})

        store.put_facts(slowly())
        keys = [digest(number) for number in range(2000)]
        assert len(store.known_facts(keys)) == 2000
        found = set()
        for each in store.facts(keys, Part.IMPORTS):
            found.add(each.key)
            store.quarantine({each.key: "y"})
        assert found == set(keys)
        assert set(store.quarantined(keys).values()) == {"y"}

    def test_quarantine_remembers_the_last_reason(self, store: Store) -> None:
        store.quarantine({digest(1): "timeout", digest(2): ODD_TEXT})
        store.quarantine({digest(1): "crash"})
        store.quarantine({})
        assert store.quarantined([digest(1), digest(2), digest(3)]) == {digest(1): "crash", digest(2): ODD_TEXT}
        assert store.quarantined([]) == {}

    def test_blobs_are_remembered(self, store: Store) -> None:
        blobs = {
            digest(number, 20).hex(): Content(digest(number), number * 1_000_000_000, trait)
            for number, trait in enumerate(Trait)
        }
        store.put_blobs(blobs)
        store.put_blobs(blobs)
        assert store.blobs([*blobs, "0" * 40]) == blobs
        assert store.blobs([]) == {}

    @pytest.mark.parametrize("name", ["stat", "", "/a/b", '"quoted"', ODD_TEXT])
    def test_named_caches_are_replaced_whole(self, store: Store, name: str) -> None:
        assert store.cache(name) is None
        for payload in (b"\0" * 2_000_000, b"short", b""):
            store.put_cache(name, payload)
            assert store.cache(name) == payload
        assert store.cache(f"{name}2") is None

    # Runs ------------------------------------------------------------------------------------------

    def test_an_empty_store_knows_nothing(self, store: Store) -> None:
        assert store.projects() == []
        assert store.published("p") is None
        assert store.runs("p") == []
        check(store, "p", Graph())
        assert store.readers("p", [1]) == []
        assert store.files("p", ["a"]) == []
        assert list(store.edges("p", ["a"])) == []

    def test_runs_have_growing_ids_and_are_listed_newest_first(self, store: Store) -> None:
        ids = [store.begin(Run(project=project)).id for project in ("p", "q", "p", "p")]
        assert ids == sorted(set(ids))
        assert [run.id for run in store.runs("p")] == [ids[3], ids[2], ids[0]]
        assert [run.id for run in store.runs("p", limit=2)] == [ids[3], ids[2]]
        assert store.runs("p", limit=0) == []

    def test_a_run_comes_back_as_it_was_published(self, store: Store) -> None:
        begun = store.begin(Run(project="p", root="/r\udcff", revision="abc", started=1.25, host="h", pid=7))
        assert begun.state is RunState.RUNNING
        assert store.runs("p") == [begun]
        run = msgspec.structs.replace(
            begun,
            state=RunState.INCOMPLETE,
            token="t",
            finished=2.5,
            counts={"files": 3},
            edges=4,
            cache_hit_rate=0.5,
            seconds={"snapshot": 0.125},
            coverage={"python": {"resolved": 1}},
            problems=(Problem("a\udcff", ODD_TEXT),),
        )
        store.publish(Publication(run))
        assert store.published("p") == run
        assert store.runs("p") == [run]

    def test_a_run_that_is_begun_is_not_published(self, store: Store) -> None:
        store.begin(Run(project="p"))
        assert store.published("p") is None
        assert store.projects() == []
        first = publish(store)
        store.begin(Run(project="p"))
        assert store.published("p") == first

    def test_beginning_fails_the_run_that_was_left_behind(self, store: Store) -> None:
        left = store.begin(Run(project="p"))
        other = store.begin(Run(project="q"))
        begun = store.begin(Run(project="p"))
        assert store.runs("p") == [begun, msgspec.structs.replace(left, state=RunState.FAILED, error="interrupted")]
        assert store.runs("q") == [other]

    def test_a_finished_run_says_how_it_ended(self, store: Store) -> None:
        run = msgspec.structs.replace(store.begin(Run(project="p")), state=RunState.CANCELLED, error=ODD_TEXT)
        store.finish(run)
        assert store.runs("p") == [run]
        later = store.begin(Run(project="p"))
        assert store.runs("p") == [later, run]

    def test_finishing_does_not_take_back_a_publication(self, store: Store) -> None:
        run = publish(store)
        store.finish(msgspec.structs.replace(run, state=RunState.FAILED))
        assert store.published("p") == run

    def test_a_run_that_is_over_cannot_publish(self, store: Store) -> None:
        late = msgspec.structs.replace(store.begin(Run(project="p")), state=RunState.PUBLISHED)
        publish(store, files=[record("a")])
        with pytest.raises(StoreUnavailable, match="is already failed"):
            store.publish(Publication(late, files=[record("b")]))
        with pytest.raises(StoreUnavailable, match="not a run of project"):
            store.publish(Publication(msgspec.structs.replace(late, id=99)))
        check(store, "p", Graph(files={"a": record("a")}))

    def test_only_a_state_with_a_graph_can_be_published(self, store: Store) -> None:
        with pytest.raises(ValueError, match="failed"):
            store.publish(Publication(msgspec.structs.replace(store.begin(Run(project="p")), state=RunState.FAILED)))

    @pytest.mark.parametrize("name", ["", "a b", '"x"', "/x", ODD_TEXT, "ü" * 300])
    def test_projects_may_have_odd_names(self, store: Store, name: str) -> None:
        with store.lock(name, timeout=0):
            publish(store, name, files=[record("a")])
        publish(store, "other")
        assert store.projects() == sorted([name, "other"])
        assert store.files(name) == [record("a")]
        assert store.files("other") == []

    # Locks -----------------------------------------------------------------------------------------

    def test_a_project_is_scanned_once_at_a_time(self, store: Store) -> None:
        with store.lock("p", timeout=0):
            with pytest.raises(StoreBusy, match=r"project 'p': is being scanned by pid \d+ on host .+ since "):
                store.lock("p", timeout=0.05).__enter__()
            with store.lock("q", timeout=0):
                pass
        with store.lock("p", timeout=0):
            pass

    def test_a_lock_is_waited_for(self, store: Store) -> None:
        held, released = threading.Event(), []

        def hold() -> None:
            with store.lock("p", timeout=0):
                held.set()
                threading.Event().wait(0.1)
                released.append(True)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(10)
        with store.lock("p", timeout=10):
            assert released
        thread.join()

    def test_a_lock_ends_with_an_error(self, store: Store) -> None:
        with pytest.raises(KeyError), store.lock("p", timeout=0):
            raise KeyError
        with store.lock("p", timeout=0):
            pass

    # The graph -------------------------------------------------------------------------------------

    def test_a_graph_comes_back_as_it_was_published(self, store: Store) -> None:
        graph = Graph(
            {path: record(path) for path in ("b.py", "a.py", "c/d.py")},
            {"a.py": row("a.py", "b.py", "c/d.py"), "b.py": row("b.py", "."), "c/d.py": ImporterRow("c/d.py")},
            {"names": b"\0" * 3_000_000, "empty": b"", ODD_TEXT: b"x"},
        )
        publish(store, files=graph.files.values(), rows=graph.rows.values(), states=graph.states)
        check(store, "p", graph)
        assert store.projects() == ["p"]

    def test_every_value_of_a_record_is_kept(self, store: Store) -> None:
        records = [
            FileRecord(
                f"{status}{trait}{language}", status, Content(b"\0" * 16, 2**40, trait), language, reason=ODD_TEXT
            )
            for status in FileStatus
            for trait in Trait
            for language in (None, *Language)
        ]
        records.append(FileRecord("odd", FileStatus.FAILED, Content(b"", 0), problems=(ODD_TEXT, "", "x" * 10_000)))
        publish(store, files=records)
        assert store.files("p") == sorted(records, key=lambda each: each.path)

    def test_every_value_of_an_edge_is_kept(self, store: Store) -> None:
        edges = [
            Edge("a", "b", kind, 2**31, ODD_TEXT, (ODD_TEXT, "", "y" * 5000), ambiguous)
            for kind, ambiguous in zip(EdgeKind, [True, False] * 10, strict=False)
        ]
        outside = [
            Outside("a", 3, ODD_TEXT, status, kind, (ODD_TEXT,), ODD_TEXT, (ODD_TEXT, "x" * 3000))
            for status in Status
            for kind in EdgeKind
        ]
        graph = Graph(rows={"a": ImporterRow("a", tuple(sorted(edges)), tuple(sorted(outside)))})
        publish(store, rows=graph.rows.values())
        check(store, "p", graph)

    def test_numbers_of_edges_are_sorted_by_the_number_of_their_kind(self, store: Store) -> None:
        kinds = (EdgeKind.IMPORT, EdgeKind.ASSET, EdgeKind.TRAIT, EdgeKind.ANCESTOR)
        publish(store, rows=[ImporterRow("b", tuple(sorted(edge("b", each, kind) for each in "ca" for kind in kinds)))])
        graph = store.graph("p")
        assert graph.paths == ("a", "b", "c")
        assert array("I", graph.importers).tolist() == [1] * 8
        assert array("I", graph.imported).tolist() == [0] * 4 + [2] * 4
        assert list(graph.kinds) == [0, 6, 8, 10] * 2

    def test_names_may_hold_any_bytes(self, store: Store) -> None:
        graph = Graph(
            {path: record(path) for path in ODD_NAMES},
            {path: row(path, *ODD_NAMES, reads=[number]) for number, path in enumerate(ODD_NAMES)},
        )
        publish(store, files=graph.files.values(), rows=graph.rows.values())
        check(store, "p", graph)
        for number, path in enumerate(ODD_NAMES):
            assert store.files("p", [path]) == [graph.files[path]]
            assert list(store.edges("p", [path])) == list(graph.rows[path].edges)
            assert store.readers("p", [number]) == [path]
        publish(store, removed_files=ODD_NAMES, removed_rows=ODD_NAMES)
        check(store, "p", Graph())

    def test_parts_of_a_graph_can_be_asked_for(self, store: Store) -> None:
        names = [f"f{number}" for number in range(20)]
        graph = Graph({name: record(name) for name in names}, {name: row(name, *names[::3]) for name in names})
        publish(store, files=graph.files.values(), rows=graph.rows.values())
        asked = ["f3", "absent", "f1", "f3"]
        assert store.files("p", asked) == [graph.files["f1"], graph.files["f3"]]
        assert list(store.edges("p", asked)) == [*graph.rows["f1"].edges, *graph.rows["f3"].edges]
        assert list(store.outside("p", asked)) == [*graph.rows["f1"].outside, *graph.rows["f3"].outside]
        assert store.files("p", []) == []
        assert list(store.edges("p", [])) == []

    def test_edges_and_imports_come_sorted_however_they_were_given(self, store: Store) -> None:
        edges = (edge("a", "z"), edge("a", "b", EdgeKind.TYPE), edge("a", "b", EdgeKind.ASSET))
        outside = (unresolved("a", 9), external("a", "os", 2))
        publish(store, rows=[ImporterRow("a", edges, outside)])
        assert list(store.edges("p")) == sorted(edges)
        assert list(store.outside("p")) == sorted(outside)

    def test_what_a_publication_does_not_name_stays(self, store: Store) -> None:
        graph = Graph(
            {"a": record("a"), "b": record("b")}, {"a": row("a", "b"), "b": row("b", "a")}, {"s": b"1", "t": b"2"}
        )
        publish(store, files=graph.files.values(), rows=graph.rows.values(), states=graph.states)
        publish(store)
        check(store, "p", graph)
        graph.files["b"], graph.rows["a"], graph.states["t"] = record("b", 2), row("a", "c"), b"3"
        publish(store, files=[graph.files["b"]], rows=[graph.rows["a"]], states={"t": b"3"})
        check(store, "p", graph)

    def test_removed_files_and_rows_are_gone_apart_from_each_other(self, store: Store) -> None:
        publish(store, files=map(record, "abc"), rows=[row("a", "b"), row("b", "c"), row("c", "a")])
        publish(store, removed_files=["a", "never seen"], removed_rows=["b", "never seen"])
        expected = Graph({"b": record("b"), "c": record("c")}, {"a": row("a", "b"), "c": row("c", "a")})
        check(store, "p", expected)
        publish(store, removed_files=["a"], files=[record("a", 3)], removed_rows=["b"], rows=[row("b", "c")])
        expected.files["a"], expected.rows["b"] = record("a", 3), row("b", "c")
        check(store, "p", expected)

    def test_a_path_removed_and_named_in_one_publication_is_there(self, store: Store) -> None:
        publish(store, files=[record("a")], rows=[row("a", "b")])
        publish(store, removed_files=["a"], files=[record("a")], removed_rows=["a"], rows=[row("a", "b")])
        check(store, "p", Graph({"a": record("a")}, {"a": row("a", "b")}))

    def test_an_importer_can_lose_each_part_of_its_row(self, store: Store) -> None:
        whole = row("a", "b", reads=[1])
        without = (
            msgspec.structs.replace(whole, edges=()),
            msgspec.structs.replace(whole, outside=()),
            msgspec.structs.replace(whole, reads=b""),
            ImporterRow("a"),
        )
        for less in without:
            publish(store, rows=[whole])
            check(store, "p", Graph(rows={"a": whole}))
            publish(store, rows=[less])
            check(store, "p", Graph(rows={"a": less}))
            assert store.readers("p", [1]) == (["a"] if less.reads else [])

    def test_states_are_replaced_whole_when_they_shrink(self, store: Store) -> None:
        for payload in (b"a" * 3_000_000, b"a" * 1_000_000, b"", b"b" * 2_000_000):
            publish(store, states={"s": payload, "t": b"t"})
            assert store.state("p", "s") == payload
            assert store.state("p", "t") == b"t"

    def test_readers_are_found_by_what_they_read(self, store: Store) -> None:
        rows = [row("a", reads=[1, 5, 2**32 - 1]), row("b", reads=[0]), row("c"), row("d", reads=[5, 6, 7])]
        publish(store, rows=rows)
        assert store.readers("p", [5]) == ["a", "d"]
        assert store.readers("p", [2**32 - 1, 0]) == ["a", "b"]
        assert store.readers("p", {2, 3, 4}) == []
        assert store.readers("p", []) == []
        assert store.readers("q", [5]) == []
        publish(store, rows=[row("a", reads=[9])], removed_rows=["d"])
        assert store.readers("p", [5]) == []
        assert store.readers("p", [9]) == ["a"]

    def test_projects_do_not_see_each_other(self, store: Store) -> None:
        publish(store, "p", files=[record("a", 1)], rows=[row("a", "b", reads=[1])], states={"s": b"p"})
        publish(store, "q", files=[record("a", 2)], rows=[row("a", "c", reads=[2])], states={"s": b"q"})
        publish(store, "p", removed_rows=["a"])
        check(store, "p", Graph({"a": record("a", 1)}, {}, {"s": b"p"}))
        check(store, "q", Graph({"a": record("a", 2)}, {"a": row("a", "c", reads=[2])}, {"s": b"q"}))

    def test_earlier_graphs_can_be_read(self, store: Store) -> None:
        first = Graph({"a": record("a"), "b": record("b")}, {"a": row("a", "b")}, {"s": b"1"})
        run = publish(store, files=first.files.values(), rows=first.rows.values(), states=first.states)
        publish(store, "q", files=[record("z")])
        second = Graph({"a": record("a", 2)}, {"a": row("a", "c"), "c": row("c")}, {"s": b"2", "t": b""})
        later = publish(
            store, files=[record("a", 2)], removed_files=["b"], rows=second.rows.values(), states=second.states
        )
        third = publish(store, removed_files=["a"], removed_rows=["a", "c"])
        check(store, "p", first, at=run.id)
        check(store, "p", second, at=later.id)
        check(store, "p", Graph(states=second.states), at=third.id)
        check(store, "p", Graph(states=second.states))
        assert store.files("p", ["b"], at=run.id) == [record("b")]
        assert list(store.edges("p", ["a"], at=later.id)) == list(second.rows["a"].edges)

    def test_a_graph_that_comes_back_is_a_graph_of_its_own(self, store: Store) -> None:
        runs = [
            publish(store, files=[record("a", number % 2)], rows=[row("a", "bc"[number % 2])]) for number in range(4)
        ]
        for number, run in enumerate(runs):
            expected = Graph({"a": record("a", number % 2)}, {"a": row("a", "bc"[number % 2])})
            check(store, "p", expected, at=run.id)

    def test_a_run_without_a_graph_cannot_be_read(self, store: Store) -> None:
        failed = store.begin(Run(project="p"))
        publish(store)
        other = publish(store, "q")
        for run_id in (failed.id, other.id, 99):
            with pytest.raises(UsageError, match=f"run {run_id} of project 'p'"):
                store.files("p", at=run_id)
            with pytest.raises(UsageError, match="published no graph"):
                store.graph("p", at=run_id)

    def test_publications_of_many_chunks_are_whole(self, store: Store) -> None:
        names = [f"folder{number % 100}/file{number}.py" for number in range(70_000)]
        graph = Graph(
            {name: record(name) for name in names},
            {name: row(name, names[number // 2], names[-1 - number]) for number, name in enumerate(names)},
        )
        publish(store, files=graph.files.values(), rows=graph.rows.values())
        assert store.files("p") == [graph.files[name] for name in sorted(names)]
        check_numbers(store, "p", graph)
        assert list(store.outside("p")) == graph.outside()
        some = names[::7]
        publish(store, removed_files=some, removed_rows=some)
        gone = set(some)
        graph.files = {name: each for name, each in graph.files.items() if name not in gone}
        graph.rows = {name: each for name, each in graph.rows.items() if name not in gone}
        assert store.files("p", names) == [graph.files[name] for name in sorted(graph.files)]
        check_numbers(store, "p", graph)

    def test_one_importer_may_import_very_much(self, store: Store) -> None:
        graph = Graph(rows={"a": row("a", *(f"f{number}" for number in range(30_000)), reads=range(300_000))})
        publish(store, rows=graph.rows.values())
        check(store, "p", graph)
        assert store.readers("p", [299_999]) == ["a"]

    def test_an_error_while_publishing_leaves_the_published_graph(self, store: Store) -> None:
        before = Graph({"a": record("a")}, {"a": row("a", "b")}, {"s": b"1"})
        run = publish(store, files=before.files.values(), rows=before.rows.values(), states=before.states)

        def failing() -> Iterator[FileRecord]:
            yield from (record(f"f{number}") for number in range(20_000))
            raise OSError("the disk is on fire")

        with pytest.raises(OSError, match="on fire"):
            publish(store, files=failing(), removed_rows=["a"], states={"s": b"2"})
        check(store, "p", before)
        assert store.published("p") == run
        after = publish(store, files=[record("c")])
        check(store, "p", Graph({"a": record("a"), "c": record("c")}, before.rows, before.states))
        assert store.published("p") == after

    def test_iterables_may_read_the_store_while_they_are_published(self, store: Store) -> None:
        store.put_facts([facts(1)])
        publish(store, files=[record("a")])

        def reading() -> Iterator[FileRecord]:
            assert store.files("p") == [record("a")]
            for each in store.facts([digest(1)], ALL_PARTS):
                yield record("b", each.imports)

        publish(store, files=reading())
        assert store.files("p") == [record("a"), record("b", facts(1).imports)]

    def test_publishing_what_is_there_already_writes_no_row(self, store: Store) -> None:
        graph = Graph({"a": record("a")}, {"a": row("a", "b", reads=[1])}, {"s": b"1" * 2_000_000})
        publish(store, files=graph.files.values(), rows=graph.rows.values(), states=graph.states)
        before = store.stats()
        publish(store, files=graph.files.values(), rows=graph.rows.values(), states=graph.states)
        after = store.stats()
        assert {table: after[table] - count for table, count in before.items() if table not in ("run", "bytes")} == {
            table: 0 for table in before if table not in ("run", "bytes")
        }
        check(store, "p", graph)

    # Care ------------------------------------------------------------------------------------------

    def test_collecting_keeps_the_last_graphs(self, store: Store) -> None:
        other = publish(store, "q", files=[record("z")], rows=[row("z", "y")])
        graphs = {}
        for number in range(5):
            names = [f"f{each}" for each in range(number, number + 3)]
            graph = Graph({name: record(name, number) for name in names}, {name: row(name, "x") for name in names})
            graph.states = {"s": bytes([number])}
            gone = [f"f{number - 1}"] if number else []
            run = publish(
                store,
                files=graph.files.values(),
                removed_files=gone,
                rows=graph.rows.values(),
                removed_rows=gone,
                states=graph.states,
            )
            graphs[run.id] = graph
        failed = store.begin(Run(project="p"))
        dropped = store.collect(keep_runs=2)
        assert dropped["file"] > 0
        assert dropped["path"] == 3
        old, kept = list(graphs)[:3], list(graphs)[3:]
        for run_id in kept:
            check(store, "p", graphs[run_id], at=run_id)
        check(store, "q", Graph({"z": record("z")}, {"z": row("z", "y")}), at=other.id)
        for run_id in old:
            with pytest.raises(UsageError, match="collected"):
                store.graph("p", at=run_id)
        assert [run.id for run in store.runs("p")] == [failed.id, *reversed(graphs)]
        assert not any(store.collect(keep_runs=2).values())

    def test_collecting_goes_on_where_it_was(self, store: Store) -> None:
        publish(store, files=[record("a")], rows=[row("a", "b")])
        publish(store, files=[record("c")], removed_files=["a"], removed_rows=["a"])
        store.collect(keep_runs=1)
        run = publish(store, files=[record("a", 2)], rows=[row("a", "b")])
        check(store, "p", Graph({"a": record("a", 2), "c": record("c")}, {"a": row("a", "b")}), at=run.id)

    def test_collecting_drops_the_facts_that_no_kept_graph_uses(self, store: Store) -> None:
        store.put_facts([facts(number) for number in range(4)])
        store.quarantine({digest(3): "crash", digest(9): "crash"})
        for number in (0, 1, 2):
            publish(store, files=[record("a", number), record("always", 3)])
        keys = {record("a", number).content.digest: digest(number) for number in range(4)}
        keys[record("always", 3).content.digest] = digest(3)
        assert store.collect(keep_runs=9)["facts"] == 0
        dropped = store.collect(keep_runs=2, facts_key=lambda each: keys.get(each.content.digest))
        assert (dropped["facts"], dropped["quarantine"]) == (1, 1)
        assert store.known_facts(list(keys.values())) == {digest(1), digest(2), digest(3)}
        assert store.quarantined([digest(3), digest(9)]) == {digest(3): "crash"}

    def test_collecting_leaves_the_facts_of_a_scan_under_way(self, store: Store) -> None:
        store.put_facts([facts(1)])
        with store.lock("p", timeout=0):
            store.begin(Run(project="p"))
            assert store.collect(keep_runs=1, facts_key=lambda each: None)["facts"] == 0
        assert store.collect(keep_runs=1, facts_key=lambda each: None)["facts"] == 1

    def test_collecting_keeps_at_least_the_published_graph(self, store: Store) -> None:
        with pytest.raises(UsageError, match="keep at least one"):
            store.collect(keep_runs=0)

    def test_stats_count_rows(self, store: Store) -> None:
        store.put_facts([facts(1), facts(2)])
        publish(store, files=[record("a"), record("b")], rows=[row("a", "b", reads=[1])], states={"s": b""})
        stats = store.stats()
        assert stats.pop("bytes") > 0
        assert {table: count for table, count in stats.items() if count} == {
            "facts": 2,
            "project": 1,
            "run": 1,
            "path": 2,
            "file": 2,
            "adjacency": 1,
            "detail": 1,
            "outside": 1,
            "reads": 1,
            "state": 1,
        }

    # Use -------------------------------------------------------------------------------------------

    def test_threads_may_use_one_store(self, store: Store) -> None:
        problems: list[BaseException] = []

        def work(project: str) -> None:
            try:
                for number in range(10):
                    store.put_facts([facts((project, number))])
                    publish(store, project, files=[record(f"f{number}")], rows=[row(f"f{number}", "x")])
                    assert len(store.files(project)) == len(store.graph(project).kinds) == number + 1
            except BaseException as exc:
                problems.append(exc)

        threads = [threading.Thread(target=work, args=(f"p{number}",)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert store.stats()["facts"] == 60

    def test_closing_twice_does_no_harm_and_using_it_then_is_an_error(self, store: Store) -> None:
        with store as entered:
            assert entered is store
        store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            store.projects()
        with pytest.raises(StoreUnavailable, match="closed"):
            publish(store)
