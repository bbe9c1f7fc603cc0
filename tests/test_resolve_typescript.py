"""Resolution of TypeScript and JavaScript, where a case file cannot say it: probed paths, odd and hostile input."""

import json
import time
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft_storage.model.edges import Resolution, Status
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.languages import Family
from weft_storage.model.settings import Settings
from weft_tasks.resolve.index import ProjectFiles, RecordingIndex, Repository
from weft_tasks.resolve.typescript import RESOLVER
from weft_tasks.resolve.typescript.conditions import targets, types_of_version
from weft_tasks.resolve.typescript.globs import Verdict, included, matches, verdict


def repository_of(files: Mapping[str, str]) -> Repository:
    contents = {path: text.encode() for path, text in files.items()}
    return Repository(contents, read=contents.get, interface=lambda path: b"")


def index_of(files: Mapping[str, str]) -> RecordingIndex:
    return RecordingIndex(repository_of(files), Settings())


def resolve(files: Mapping[str, str], specifier: str, importer: str = "a.ts") -> Resolution:
    return RESOLVER.resolve(importer, Import(specifier, EdgeKind.IMPORT, 1), index_of({importer: "", **files}))


def test_the_probed_paths_stand_in_the_order_of_the_search() -> None:
    probed = resolve({}, "./x").probed
    assert probed[:5] == ("x.ts", "x.tsx", "x.d.ts", "x.js", "x.jsx")
    assert probed.index("x/index.ts") < probed.index("x/index.js") < probed.index("x.astro") < probed.index("x")
    assert resolve({}, "./x.js").probed[:5] == ("x.ts", "x.tsx", "x.d.ts", "x.js", "x.jsx")


def test_the_probed_paths_of_an_export_are_its_targets() -> None:
    files = {
        "package.json": '{"workspaces": ["p"]}',
        "p/package.json": '{"name": "p", "exports": {"./a": "./lib/a.js"}}',
    }
    assert resolve(files, "p/a").probed[:2] == ("p/lib/a.ts", "p/lib/a.tsx")
    assert resolve(files, "p/b").probed == ("p/package.json",)


def test_creating_a_probed_file_changes_an_answer_that_was_recorded() -> None:
    index = index_of({"a.ts": ""})
    RESOLVER.resolve("a.ts", Import("./x", EdgeKind.IMPORT, 1), index)
    assert {"f:x.ts", "f:x.tsx", "f:x.js", "d:x"} <= index.reads


@pytest.mark.parametrize(
    "specifier",
    ["", ".", "..", "/", "//", "#", "@", "@/", "@a", "@a/", "./\0", "./a\nb", "?", "!", "./?", "\ufffd", "a" * 100_000,
     "../../../../etc/passwd", "./" + "a/" * 5000, "node:", "C:\\x", "file:///etc/passwd", "%2e%2e/x", "./../..", "~"],
)  # fmt: skip
def test_no_specifier_raises_or_leaves_the_root(specifier: str) -> None:
    for detail in ("", "path", "types", "module", "require"):
        imported = Import(specifier, EdgeKind.IMPORT, 1, detail=detail)
        found = RESOLVER.resolve("src/a.ts", imported, index_of({"src/a.ts": "", "package.json": "{}"}))
        assert found.status in (Status.UNRESOLVED, Status.EXTERNAL, Status.RESOLVED)
        assert found.status is not Status.UNRESOLVED or found.probed
        assert found.status is not Status.EXTERNAL or found.package


_FILES = {
    "package.json": '{"name": "root", "workspaces": ["p"], "imports": {"#x": "./x.ts", "#y/*": "./*"}}',
    "tsconfig.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"@/*": ["./*"], "~*": ["./p/*"]}}}',
    "deno.json": '{"imports": {"m/": "./p/"}}',
    "p/package.json": '{"name": "p", "exports": {"./*": "./*", ".": "./dist/x.js"}}',
    "p/src/x.ts": "",
    "x.ts": "",
}


@given(specifier=st.text(st.sampled_from("./#@~:?!*pxm\0\n "), max_size=12) | st.text(max_size=12))
@settings(max_examples=300, deadline=None)
def test_every_resolution_leads_to_files_that_exist(specifier: str) -> None:
    found = resolve(_FILES, specifier)
    assert all(target.path in _FILES or target.path == "a.ts" for target in found.targets)
    assert found == resolve(_FILES, specifier)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("./*@#ax", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("./*@#ax", max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYS = ("name", "workspaces", "exports", "imports", "main", "types", "dependencies", "extends", "include",
         "exclude", "files", "references", "paths", "baseUrl", "rootDirs", "resolutions", "packages")  # fmt: skip


@given(
    manifest=st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=6),
    options=st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=4),
)
@settings(max_examples=200, deadline=None)
def test_manifests_of_any_shape_are_read_without_raising(manifest: object, options: object) -> None:
    files = {
        "package.json": json.dumps(manifest),
        "tsconfig.json": json.dumps({**dict(manifest), "compilerOptions": options}),  # type: ignore[call-overload]
        "pnpm-workspace.yaml": json.dumps(manifest),
        "a/package.json": json.dumps({"name": "x", "exports": manifest}),
        "a/x.ts": "",
    }
    for specifier in ("x", "x/a", "#a", "./a", "@/a", "a"):
        resolve(files, specifier)


@pytest.mark.parametrize("name", ["package.json", "tsconfig.json", "pnpm-workspace.yaml", "deno.json", "rush.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "\0", "\ufeff", "{", '"x"', "{a: &a [*a]}", "7"])
def test_unreadable_manifests_are_problems(name: str, text: str) -> None:
    index = index_of({name: text, "a.ts": ""})
    RESOLVER.resolve("a.ts", Import("x", EdgeKind.IMPORT, 1), index)
    problems = index.projects[Family.TYPESCRIPT].problems
    assert all(path == name and problem for path, problem in problems)


def test_questions_about_what_is_gone_have_answers_and_change_no_others() -> None:
    project = RESOLVER.build(ProjectFiles(repository_of({"a/tsconfig.json": "{}", "a/b/x.ts": ""})), Settings())
    before = project.answer("folder:a/b")
    for question in ("config:a/b/tsconfig.json", "manifest:a/b", "outputs:a/b", "scope:a/b", "map:a/b/deno.json"):
        project.answer(question)
    assert project.answer("package:x:gone") is None
    assert project.answer("declared:x:gone") is False
    assert project.answer("folder:a/b") == before


def test_a_referenced_config_of_any_name_is_read_before_it_is_asked_for() -> None:
    files = ProjectFiles(
        repository_of({"tsconfig.json": '{"references": [{"path": "odd.json"}]}', "odd.json": "{", "a.ts": ""})
    )
    project = RESOLVER.build(files, Settings())
    assert files.manifests == {"tsconfig.json", "odd.json"}
    assert [path for path, _ in project.problems] == ["odd.json"]


def test_a_long_chain_of_extends_is_followed() -> None:
    files = {f"tsconfig.{n}.json": json.dumps({"extends": f"./tsconfig.{n + 1}.json"}) for n in range(3000)}
    files["tsconfig.3000.json"] = '{"compilerOptions": {"paths": {"@": ["./x.ts"]}}}'
    files["tsconfig.json"] = '{"extends": "./tsconfig.0.json"}'
    assert [target.path for target in resolve({**files, "x.ts": ""}, "@").targets] == ["x.ts"]


def test_bases_that_share_bases_are_read_once_each() -> None:
    files = {
        f"tsconfig.{n}.json": json.dumps({"extends": [f"./tsconfig.{n + 1}.json"] * 2 if n < 60 else []})
        for n in range(61)
    }
    started = time.process_time()
    resolve({**files, "tsconfig.json": '{"extends": "./tsconfig.0.json"}'}, "x")
    assert time.process_time() - started < 2


def test_braces_do_not_multiply_without_end() -> None:
    assert matches("packages/{a,b}/{c,d}", "packages/b/c")
    started = time.process_time()
    assert not matches("{a,b}" * 40, "x")
    assert time.process_time() - started < 2


def test_stars_take_no_exponential_time() -> None:
    started = time.process_time()
    assert not matches("**/" * 500 + "x", "a/" * 500 + "b")
    assert not matches("*a" * 2000, "a" * 1999 + "b")
    assert time.process_time() - started < 5


def test_globs_follow_the_compiler() -> None:
    assert included((), ("src/**/*",), ("src/**/*.test.ts",), "src/deep/a.ts")
    assert not included((), ("src/**/*",), ("src/**/*.test.ts",), "src/deep/a.test.ts")
    assert not included((), ("**/*",), (), "src/.hidden/a.ts")
    assert not included((), ("**/*",), ("src",), "src/a.ts")
    assert included(("src/.hidden/a.ts",), (), (), "src/.hidden/a.ts")


def test_a_verdict_on_a_folder_agrees_with_its_files() -> None:
    assert verdict((), ("src/**/*",), (), "src/deep") is Verdict.ALL
    assert verdict((), ("src/**/*",), ("**/*.test.ts",), "src") is Verdict.SOME
    assert verdict((), ("src/**/*",), ("src/deep",), "src/deep/er") is Verdict.NONE
    assert verdict((), ("src/*.ts",), (), "src/deep") is Verdict.NONE
    assert verdict(("src/a.ts",), (), (), "src") is Verdict.SOME


@given(
    include=st.lists(st.text("a*/.", max_size=6), max_size=2),
    exclude=st.lists(st.text("a*/.", max_size=6), max_size=2),
    folder=st.sampled_from(["", "a", "a/a", "a/b", "b"]),
    name=st.sampled_from(["a", "b", "aa", "a.a"]),
)
@settings(max_examples=500, deadline=None)
def test_a_sure_verdict_on_a_folder_is_that_of_each_file(
    include: list[str], exclude: list[str], folder: str, name: str
) -> None:
    taken = included((), include, exclude, f"{folder}/{name}".lstrip("/"))
    sure = verdict((), include, exclude, folder)
    assert sure is Verdict.SOME or taken is (sure is Verdict.ALL)


@pytest.mark.parametrize(
    ("subpath", "conditions", "expected"),
    [
        (".", {"import"}, ["./i.js"]),
        (".", {"require"}, ["./r.js"]),
        (".", set(), ["./d.js"]),
        (".", {"types", "import"}, ["./t.d.ts", "./i.js"]),
        ("./x/y", set(), ["./lib/x/y.js"]),
        ("./x/y.js", set(), ["./lib/x/y.js"]),
        ("./private/y", set(), []),
        ("./old/y.js", set(), ["./older/y.js"]),
        ("./exact", set(), ["./e.js"]),
    ],
)
def test_targets_of_exports(subpath: str, conditions: set[str], expected: list[str]) -> None:
    table = {
        ".": {"types@>=4": "./t.d.ts", "import": "./i.js", "require": "./r.js", "default": "./d.js"},
        "./*": "./lib/*.js",
        "./*.js": "./lib/*.js",
        "./private/*": None,
        "./old/": "./older/",
        "./exact": [None, "./e.js"],
    }
    found = targets(table, subpath, conditions)
    assert found[: len(expected)] == expected
    assert expected or not found


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("*", True), (">=4.2", True), ("<4.0", False), (">=3.1 <6", True), ("<=5", True), ("^4", False),
        ("~5.9.0", True), ("3.x || >=5", True), ("1.0 - 4.9", False), ("4 - 6", True), ("5", True),
        ("", False), ("x.y", False),
        ("latest", False), (">=" + "9" * 10_000, False), ("<5.9.3", False), (">5.9.3", False), ("=5.9", True),
        (">=5.0.0-0", True),
    ],
)  # fmt: skip
def test_ranges_of_types_versions(text: str, holds: bool) -> None:
    assert bool(types_of_version({text: {"*": ["x/*"]}})) is holds


def test_large_manifests_and_workspaces_of_everything_are_not_slow() -> None:
    exports = {f"./{at}/*": {"types": f"./dist/{at}/*.d.ts", "default": f"./{at}/*.js"} for at in range(25_000)}
    versioned = {key: ["x"] for key in exports}
    big = {"name": "big", "exports": exports, "typesVersions": {"*": versioned}}
    files = {
        "package.json": json.dumps({"workspaces": ["**", "**/**/*", "{a,b}{c,d}{e,f}{g,h}/**"], "exports": exports}),
        "pnpm-workspace.yaml": "packages: ['**', '!**/not/**']",
        "big/package.json": json.dumps(big),
        "big/7/a.js": "",
        **{f"p/{at}/package.json": json.dumps({"name": f"p{at}"}) for at in range(2000)},
        **{f"p/{at}/index.ts": "" for at in range(2000)},
    }
    assert len(files["big/package.json"]) > 2_000_000
    started = time.process_time()
    index = index_of({"a.ts": "", **files})
    for specifier in ("p7", "p1999", "big/7/a", *(f"big/{number}/b" for number in range(20))):
        found = RESOLVER.resolve("a.ts", Import(specifier, EdgeKind.IMPORT, 1), index)
        assert (found.status is Status.RESOLVED) == (not specifier.endswith("/b"))
    assert time.process_time() - started < 5


def test_manifests_nested_without_end_are_problems() -> None:
    deep = {"[": "]", '{"a":': "}"}
    for opening, closing in deep.items():
        text = opening * 200_000 + "1" * (opening != "[") + closing * 200_000
        files = {"package.json": text, "p/package.json": text, "tsconfig.json": text, "deno.json": text, "b.ts": ""}
        files |= {"pnpm-workspace.yaml": "packages: " + "[" * 100_000, "lerna.json": text, "rush.json": text}
        started = time.process_time()
        index = index_of({"a.ts": "", **files})
        assert RESOLVER.resolve("a.ts", Import("./b", EdgeKind.IMPORT, 1), index).targets[0].path == "b.ts"
        assert {path for path, _ in index.projects[Family.TYPESCRIPT].problems} == files.keys() - {"b.ts"}
        assert time.process_time() - started < 5


def test_a_config_may_reference_and_extend_itself() -> None:
    itself = {"extends": "./tsconfig.json", "references": [{"path": "."}, {"path": "./tsconfig.json"}, {"path": "b"}]}
    files = {
        "tsconfig.json": json.dumps({**itself, "files": [], "compilerOptions": {"paths": {"x": ["./x.ts"]}}}),
        "b/tsconfig.json": json.dumps({"references": [{"path": ".."}, {"path": "."}], "include": ["../c"]}),
        "x.ts": "",
        "c/c.ts": "",
    }
    assert resolve(files, "x").targets[0].path == "x.ts"
    assert resolve(files, "x", importer="c/c.ts").status is Status.EXTERNAL  # It is b's, which has no such alias.
    index = index_of({"a.ts": "", **files})
    RESOLVER.resolve("a.ts", Import("x", EdgeKind.IMPORT, 1), index)
    problems = index.projects[Family.TYPESCRIPT].problems
    assert problems == [("tsconfig.json", "extends itself by way of 'tsconfig.json'")]


def test_fifty_thousand_patterns_are_not_slow() -> None:
    exports = {f"./{at}/*": f"./{at}/*.js" for at in range(50_000)}
    files = {"package.json": '{"workspaces": ["p"]}', "p/a.js": "", "p/40000/a.js": ""}
    files["p/package.json"] = json.dumps(
        {"name": "p", "exports": exports, "imports": {f"#{at}": "./a.js" for at in exports}}
    )
    started = time.process_time()
    index = index_of({"a.ts": "", **files})
    for at in (*range(1000), 40_000):
        found = RESOLVER.resolve("a.ts", Import(f"p/{at}/a", EdgeKind.IMPORT, 1), index)
        assert (found.status is Status.RESOLVED) == (at == 40_000)
    assert time.process_time() - started < 5


def test_links_of_packages_in_circles_are_followed_to_no_end() -> None:
    files = {"package.json": '{"workspaces": ["p", "q"]}', "p/package.json": '{"name": "p"}', "p/index.ts": ""}
    contents = {path: text.encode() for path, text in {**files, "a.ts": "", "q/b.ts": ""}.items()}
    links = {"p/node_modules/p": "p", "p/round": "p/trip", "p/trip": "p/round", "p/up": "", "q/down": "q"}
    repository = Repository(contents, links=links, read=contents.get, interface=lambda path: b"")
    index = RecordingIndex(repository, Settings())
    started = time.process_time()
    for specifier, expected in {
        "p": "p/index.ts",
        "./p/up/p/up/p": "p/index.ts",
        "./p/node_modules/p/node_modules/p": "p/index.ts",
        "./p/round": None,
        "p/round/trip": None,
        "./" + "p/up/" * 800 + "p": None,
    }.items():
        found = RESOLVER.resolve("a.ts", Import(specifier, EdgeKind.IMPORT, 1), index)
        assert [each.path for each in found.targets] == ([expected] if expected else []), specifier
    found = RESOLVER.resolve("a.ts", Import("./**/*.ts", EdgeKind.DYNAMIC, 1, detail="glob"), index)
    assert {each.path for each in found.targets} <= {"a.ts", "p/index.ts", "q/b.ts"}
    assert time.process_time() - started < 5


def test_a_pattern_that_takes_all_of_a_large_repository_is_unresolved() -> None:
    files = {f"{at % 6000}/{at}.ts": "" for at in range(12_000)}
    started = time.process_time()
    index = index_of({"a.ts": "", **files})
    for pattern in ("./**/*", "/**/*.ts", "./**/**/**/*.ts", "../**/*", "./" + "{a,b}" * 30 + "/*"):
        found = RESOLVER.resolve("a.ts", Import(pattern, EdgeKind.DYNAMIC, 1, detail="glob"), index)
        assert found.status is Status.UNRESOLVED
        assert found.probed == (pattern,)
    assert time.process_time() - started < 10


def test_a_checked_in_package_is_looked_for_past_the_manifest_that_asks_for_it() -> None:
    # No case file: a plain folder's node_modules are never scanned.
    files = {
        "package.json": '{"name": "root", "workspaces": ["**"]}',
        "app/package.json": '{"name": "app", "dependencies": {"tool": "^1.0.0", "near": "*"}}',
        "app/node_modules/near/package.json": '{"name": "near", "main": "main"}',
        "app/node_modules/near/main.js": "",
        "node_modules/near/package.json": '{"name": "near"}',
        "node_modules/near/index.js": "",
        "node_modules/tool/package.json": '{"name": "tool"}',
        "node_modules/tool/config.js": "",
        "app/node_modules/bare/index.js": "",
        "app/node_modules/@scope/bare/lib/a.js": "",
        "app/node_modules/.bin/tool/index.js": "",
        "app/node_modules/loose.js": "",
    }
    assert [each.path for each in resolve(files, "tool/config", "app/src/a.ts").targets] == [
        "node_modules/tool/config.js"
    ]
    assert [each.path for each in resolve(files, "near", "app/src/a.ts").targets] == ["app/node_modules/near/main.js"]
    for specifier, expected in {
        "bare": ["app/node_modules/bare/index.js"],
        "@scope/bare/lib/a": ["app/node_modules/@scope/bare/lib/a.js"],
        "bare/none": [],
        ".bin/tool": [],
        "loose": ["app/node_modules/loose.js"],
    }.items():
        assert [each.path for each in resolve(files, specifier, "app/src/a.ts").targets] == expected


def test_a_target_cannot_grow_without_end() -> None:
    assert targets({"./*": "*" * 3000}, "./" + "a" * 3000, set()) == []
