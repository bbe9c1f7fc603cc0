"""JSON Schemas of the documents, generated from their structs. Knows nothing of what fills them.

`python -m weft.report.schema` rewrites the files under `schemas/`, which are part of the distribution.
"""

import inspect
import json
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from weft.report.documents import DOCUMENTS, EdgeEntry, OutsideEntry

FOLDER = os.path.join(os.path.dirname(__file__), "schemas")

SUBJECTS: Mapping[str, type[msgspec.Struct]] = {**DOCUMENTS, "edge": EdgeEntry, "outside": OutsideEntry}
"""The documents, and the lines of `weft export --format jsonl` and `weft unresolved --format jsonl`."""


def json_schema(subject: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one of SUBJECTS.

    Every field is required, because every field is always written. Fields that it does not name are allowed: later
    programs may add some without a new version.
    """
    struct = SUBJECTS[subject]
    definitions = msgspec.json.schema(struct)["$defs"]
    for definition in definitions.values():
        _describe(definition)
        _require_all(definition)
    body = definitions.pop(struct.__name__)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}
    return {**schema, "$defs": dict(sorted(definitions.items()))} if definitions else schema


def schema_text(subject: str) -> str:
    """The file of a schema."""
    return json.dumps(json_schema(subject), indent=2, ensure_ascii=False) + "\n"


def write_schemas() -> None:
    """Rewrite the file of every schema."""
    for subject in sorted(SUBJECTS):
        with open(os.path.join(FOLDER, f"{subject}.json"), "w", encoding="utf-8") as file:
            file.write(schema_text(subject))


def _describe(definition: dict[str, Any]) -> None:
    if "description" in definition:
        definition["description"] = inspect.cleandoc(definition["description"])


def _require_all(definition: dict[str, Any]) -> None:
    properties = definition.get("properties", {})
    for each in properties.values():
        each.pop("default", None)
    if properties:
        definition["required"] = list(properties)


if __name__ == "__main__":
    write_schemas()
