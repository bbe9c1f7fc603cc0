"""Documents: what other programs read, against their published schemas."""

import json
import os
import random
from collections.abc import Mapping
from typing import Any

import jsonschema
import msgspec
import pytest

from report_samples import HOSTILE, ORDINARY, edges_among, sample_documents, sample_run
from weft.report.documents import (
    DOCUMENTS,
    affected_document,
    affected_entry,
    deps_document,
    edge_entry,
    export_document,
    outside_entry,
    runs_document,
    scan_document,
    status_document,
    to_json,
    utc,
    verify_document,
    why_document,
)
from weft.report.schema import FOLDER, SUBJECTS, json_schema, schema_text
from weft_storage.model.edges import Outside, Status
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import NO_CONTENT, ChangeKind, FileRecord, FileStatus
from weft_storage.model.runs import Problem
from weft_storage.model.states import AffectedFile, Cause, CauseKind


def validator(subject: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(subject))


def read(document: msgspec.Struct) -> Any:
    return json.loads(to_json(document))


@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_committed_schemas_are_those_of_the_structs(subject: str) -> None:
    with open(os.path.join(FOLDER, f"{subject}.json"), encoding="utf-8") as file:
        assert file.read() == schema_text(subject), "run: python -m weft.report.schema"


def test_no_schema_is_left_over() -> None:
    assert sorted(os.listdir(FOLDER)) == [f"{subject}.json" for subject in sorted(SUBJECTS)]


@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_schemas_are_schemas(subject: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(subject))


@pytest.mark.parametrize("names", [ORDINARY, HOSTILE], ids=["ordinary", "hostile"])
@pytest.mark.parametrize("command", sorted(DOCUMENTS))
def test_documents_satisfy_their_schemas(command: str, names: tuple[str, ...]) -> None:
    written = read(sample_documents(names)[command])
    validator(command).validate(written)
    assert next(iter(written.items())) == ("schema", f"weft/{command}/1")


@pytest.mark.parametrize("command", sorted(DOCUMENTS))
def test_schemas_require_every_field_and_refuse_other_documents(command: str) -> None:
    written = read(sample_documents(ORDINARY)[command])
    for field in written:
        assert not validator(command).is_valid({key: value for key, value in written.items() if key != field})
    assert not validator(command).is_valid({**written, "schema": "weft/other/1"})


def test_lines_satisfy_their_schemas() -> None:
    outside = Outside(HOSTILE[2], 3, "x", Status.UNRESOLVED, EdgeKind.IMPORT, (), "", ("a", "b"))
    validator("edge").validate(read(edge_entry(edges_among(HOSTILE)[0])))
    validator("outside").validate(read(outside_entry(outside)))


@pytest.mark.parametrize("command", sorted(DOCUMENTS))
def test_documents_keep_the_order_of_their_fields(command: str) -> None:
    document = sample_documents(ORDINARY)[command]
    assert list(read(document)) == list(document.__struct_fields__)


def test_the_scan_document_holds_what_the_interface_promises() -> None:
    written = read(scan_document(sample_run("p")))
    phases = ["snapshot", "diff", "extract", "resolve", "merge", "analyze"]
    counts = ["files", "analyzed", "unchanged", "cached", "skipped", "failed"]
    counts += ["added", "modified", "deleted", "inputs", "inputs_changed", "resolved"]
    assert list(written["seconds"]) == phases
    assert list(written["counts"]) == counts
    assert written["counts"]["modified"] == 0
    assert written["run"] == 12
    assert written["status"] == "incomplete"


def test_names_that_are_not_utf8_survive_json_as_surrogate_escapes() -> None:
    document = export_document("p", 1, HOSTILE, edges_among(HOSTILE))
    text = to_json(document)
    assert text.isascii()
    assert r"byte\udcff.py" in text
    assert json.loads(text)["files"] == sorted(HOSTILE)
    assert json.loads(text)["edges"] == [read(edge) for edge in document.edges]


def test_json_has_the_asked_indent_and_a_final_newline() -> None:
    document = why_document("p", 1, importer="a", imported="b", path=None)
    assert to_json(document).startswith('{\n  "schema": "weft/why/1",\n  "project": "p",\n')
    assert to_json(document, indent=0).count("\n") == 1
    assert to_json(document).endswith("\n}\n")


def test_equal_findings_are_equal_text_whatever_order_they_come_in() -> None:
    def written(seed: int) -> str:
        chance = random.Random(seed)
        names, edges = list(HOSTILE), edges_among(HOSTILE)
        chance.shuffle(names)
        chance.shuffle(edges)
        coverage = {name: {"resolved": 1, "unresolved": 2} for name in names}
        problems = tuple(Problem(name, "x") for name in names)
        entries = [affected_entry(AffectedFile(name), weak=False) for name in names]
        return "".join(
            (
                to_json(export_document("p", 1, names, edges)),
                to_json(deps_document("p", 1, "a", names, edges, transitive=True)),
                to_json(affected_document("p", 1, entries)),
                to_json(scan_document(sample_run("p", coverage=coverage, problems=problems))),
            )
        )

    assert written(1) == written(2)


def test_a_path_in_order_is_not_sorted() -> None:
    edges = edges_among(ORDINARY)[::-1]
    written = read(why_document("p", 1, importer="a", imported="b", path=edges))
    assert [each["importer"] for each in written["path"]] == [edge.importer for edge in edges]


def test_the_reason_of_an_affected_file_is_the_nearest_one() -> None:
    def reason(change: ChangeKind | None, resolved_anew: bool, cause: Cause | None = None) -> str:
        return affected_entry(AffectedFile("a", change, resolved_anew, cause), weak=False).reason

    assert reason(ChangeKind.ADDED, True) == "changed"
    assert reason(None, True) == "resolved-anew"
    assert reason(None, False, Cause(CauseKind.PACKAGE, "uv.lock", "a")) == "package"
    assert reason(None, False) == "dependent"


def test_runs_come_newest_first_and_an_unfinished_one_has_no_end() -> None:
    written = read(runs_document("p", [sample_run("p", id=3), sample_run("p", id=4, finished=0.0)]))
    assert [each["id"] for each in written["runs"]] == [4, 3]
    assert [each["finished"] for each in written["runs"]] == [None, "2026-01-31T02:00:01.500Z"]


def test_status_lists_the_files_skipped_by_rule_only() -> None:
    records = [
        FileRecord("b.bin", FileStatus.SKIPPED, NO_CONTENT, reason="binary"),
        FileRecord("a.bin", FileStatus.SKIPPED, NO_CONTENT, reason="too large"),
        FileRecord("c.py", FileStatus.FAILED, NO_CONTENT, reason="crash"),
        FileRecord("d.py", FileStatus.ANALYZED, NO_CONTENT),
    ]
    written = read(status_document(sample_run("p"), records))
    assert written["skipped"] == [{"path": "a.bin", "reason": "too large"}, {"path": "b.bin", "reason": "binary"}]


def test_a_verification_without_differences_is_equal() -> None:
    assert read(verify_document("p", 1, []))["equal"] is True
    assert read(sample_documents(ORDINARY)["verify"])["equal"] is False


def test_times_are_utc_with_milliseconds() -> None:
    assert utc(0.0) == "1970-01-01T00:00:00.000Z"


def test_every_field_of_every_schema_has_a_type() -> None:
    def untyped(schema: Mapping[str, Any]) -> list[str]:
        return [name for name, each in schema.get("properties", {}).items() if not each]

    for subject in SUBJECTS:
        schema = json_schema(subject)
        assert not untyped(schema)
        assert not [name for each in schema.get("$defs", {}).values() for name in untyped(each)]
