"""Resolution of Rust where a case file cannot say it: hostile repositories, order of questions, odd specifiers."""

import random
import time

import pytest

from weft_storage.model.edges import Resolution, Status
from weft_storage.model.facts import EdgeKind, FileFacts, Import
from weft_storage.model.languages import Family, Language
from weft_storage.model.settings import Settings
from weft_tasks.extract import extract
from weft_tasks.resolve.imports import ResolvedFile, resolve_file
from weft_tasks.resolve.index import ProjectFiles, RecordingIndex, Repository
from weft_tasks.resolve.rust import RESOLVER

MANIFEST = '[package]\nname = "app"\nedition = "2021"\n'


class World:
    """A repository of a few files, ready to be asked."""

    def __init__(self, files: dict[str, str]) -> None:
        contents = {path: text.encode() for path, text in files.items()}
        self.facts: dict[str, FileFacts] = {
            path: extract(Language.RUST, source) for path, source in contents.items() if path.endswith(".rs")
        }
        self.repository = Repository(
            contents,
            read=contents.get,
            interface=lambda path: self.facts[path].interface if path in self.facts else b"",
        )
        self.index = RecordingIndex(self.repository, Settings())

    def resolve(self, path: str) -> ResolvedFile:
        return resolve_file(path, Language.RUST, self.facts[path].imports, self.index)

    def ask(self, importer: str, imported: Import) -> Resolution:
        return RESOLVER.resolve(importer, imported, self.index)


@pytest.mark.parametrize(
    "specifier", ["", "::", "crate", "*", "a//b", "\0", "crate::\n::x", "super::" * 500, "../x", "a|b"]
)
@pytest.mark.parametrize("kind", list(EdgeKind))
@pytest.mark.parametrize("detail", ["", "path", "call", "extern", "\n../..\n/etc/passwd"])
def test_no_specifier_raises(specifier: str, kind: EdgeKind, detail: str) -> None:
    world = World({"Cargo.toml": MANIFEST, "src/lib.rs": "mod a;\n", "src/a.rs": ""})
    for names in ((), ("x",)):
        resolution = world.ask("src/a.rs", Import(specifier, kind, 1, names, "", detail))
        assert all(not target.path.startswith(("/", "..")) for target in resolution.targets)
        assert resolution.status is not Status.UNRESOLVED or resolution.probed


def test_an_importer_that_is_nowhere_is_no_error() -> None:
    world = World({"Cargo.toml": MANIFEST, "src/lib.rs": ""})
    assert world.ask("gone.rs", Import("crate::a::B", EdgeKind.IMPORT, 1, ("B",))).targets == ()


@pytest.mark.parametrize(
    "manifest",
    [
        "[[[[",
        "a = " + "[" * 5_000,
        "\udcff",
        "package = 1",
        '[package]\nname = 3\n[lib]\npath = ["x"]\n',
        '[package]\nname = "a//b"\nedition = "9999"\n[[bin]]\nname = 1\npath = 2\n[dependencies]\nx = 3\n',
        '[package]\nname = "x"\nworkspace = "../../.."\n[dependencies]\na = { workspace = true }\n',
        '[package]\nname = "x"\nworkspace = "."\n[dependencies]\nx = { path = "." }\ny = { path = "../../../etc" }\n',
        '[package]\nname = "x"\nbuild = "../../../../etc/passwd"\n[lib]\npath = "/etc/passwd"\n',
        "[workspace]\nmembers = 1\nexclude = [1, {}]\n[workspace.dependencies]\nx = 1\n",
        '[patch]\nx = 1\n[patch.crates-io]\ny = 2\nz = { path = 3 }\n[replace]\n"q:1" = 2\n[target]\na = 1\n',
    ],
)
def test_no_manifest_raises(manifest: str) -> None:
    files = {
        "Cargo.toml": manifest.encode("utf-8", "surrogateescape").decode("latin-1"),
        "src/lib.rs": "use x::y;\nmod a;\n",
    }
    world = World({**files, "src/a.rs": "use crate::a;\n"})
    assert [edge.imported for edge in world.resolve("src/lib.rs").edges] == ["src/a.rs"]


def test_modules_that_multiply_are_bounded() -> None:
    """Each file declares the next one twice by `#[path]`: 2^40 modules, were they all grown."""
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": '#[path = "m0.rs"]\nmod a;\n#[path = "m0.rs"]\nmod b;\n'}
    for number in range(40):
        files[f"src/m{number}.rs"] = f'#[path = "m{number + 1}.rs"]\nmod a;\n#[path = "m{number + 1}.rs"]\nmod b;\n'
    files["src/m40.rs"] = "use super::super::a;\n"
    started = time.process_time()
    World(files).resolve("src/m40.rs")
    assert time.process_time() - started < 5


def test_globs_of_each_other_are_bounded() -> None:
    count = 60
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": "".join(f"mod m{n};\n" for n in range(count))}
    for number in range(count):
        files[f"src/m{number}.rs"] = (
            "".join(f"pub use crate::m{n}::*;\n" for n in range(count)) + "use self::lost::X;\n"
        )
    world = World(files)
    started = time.process_time()
    for number in range(count):
        world.resolve(f"src/m{number}.rs")
    assert time.process_time() - started < 10


def test_a_long_chain_of_reexports_is_no_recursion_error() -> None:
    count = 2_000
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": "".join(f"mod m{n};\n" for n in range(count))}
    for number in range(count):
        files[f"src/m{number}.rs"] = f"pub use crate::m{number + 1}::deep;\nuse self::deep::X;\n"
    resolved = World(files).resolve("src/m0.rs")
    assert [edge.imported for edge in resolved.edges] == ["src/m1.rs"]


def test_answers_do_not_depend_on_the_order_of_questions() -> None:
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": "mod a;\nmod b;\nmod c;\npub use a::*;\n"}
    files["src/a.rs"] = "pub use crate::b::*;\npub use crate::c::deep as other;\npub mod own;\n"
    files["src/a/own.rs"] = "use super::deep::X;\nuse crate::other::Y;\n"
    files["src/b.rs"] = "pub use crate::c::*;\npub use crate::a::own;\n"
    files["src/c.rs"] = "pub use crate::a::*;\npub mod deep;\nuse self::own::Z;\n"
    files["src/c/deep.rs"] = "use crate::own::X;\nuse super::other::Y;\n"
    paths = sorted(path for path in files if path.endswith(".rs"))
    expected = {path: World(files).resolve(path) for path in paths}
    for seed in range(10):
        shuffled = random.Random(seed).sample(paths, len(paths))
        world = World(files)
        assert {path: world.resolve(path) for path in shuffled} == expected


def test_questions_of_an_earlier_repository_have_answers() -> None:
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": 'extern crate q;\nmod a;\nshout!();\ninclude!("x");\nuse a::b::C;\n'}
    before = World({**files, "src/a.rs": "use crate::x::y;\n"})
    for path in before.facts:
        before.resolve(path)
    after = World({"other/main.rs": ""}).index.project(Family.RUST)
    for key in before.index.answers:
        after.answer(key.removeprefix("a:rust:"))


def test_an_edit_that_concerns_no_path_changes_no_answer() -> None:
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": "mod a;\nmod b;\nuse std::fmt;\n", "src/a.rs": "use crate::b::B;\n"}
    before = World({**files, "src/b.rs": ""})
    before.resolve("src/a.rs")
    after = World({**files, "src/lib.rs": "mod a;\nmod b;\nmod new;\nuse std::io;\n", "src/b.rs": "", "src/new.rs": ""})
    project = after.index.project(Family.RUST)
    for key, answer in before.index.answers.items():
        assert project.answer(key.removeprefix("a:rust:")) == answer


def test_a_manifest_of_two_megabytes_is_read_in_no_time() -> None:
    entries = "".join(f'd{number} = {{ path = "../d{number}" }}\n' for number in range(70_000))
    started = time.process_time()
    world = World({"Cargo.toml": f"{MANIFEST}[dependencies]\n{entries}", "src/lib.rs": "mod a;\n", "src/a.rs": ""})
    assert [edge.imported for edge in world.resolve("src/lib.rs").edges] == ["src/a.rs"]
    assert len(entries) > 2_000_000
    assert time.process_time() - started < 20, "several times what it takes"


def test_two_megabytes_of_brackets_are_a_problem_of_the_manifest() -> None:
    world = World({"Cargo.toml": "a = " + "[" * 2_000_000, "src/lib.rs": "mod a;\n", "src/a.rs": ""})
    assert [edge.imported for edge in world.resolve("src/lib.rs").edges] == ["src/a.rs"]
    project = RESOLVER.build(ProjectFiles(world.repository), Settings())
    assert [path for path, _ in project.problems] == ["Cargo.toml"]


def test_packages_in_a_circle_of_reexports_end() -> None:
    """A thousand packages, each depending on the next and reexporting all of it."""
    files: dict[str, str] = {}
    for number in range(1_000):
        following = (number + 1) % 1_000
        manifest = MANIFEST.replace('"app"', f'"p{number}"')
        files[f"p{number}/Cargo.toml"] = f'{manifest}[dependencies]\np{following} = {{ path = "../p{following}" }}\n'
        files[f"p{number}/src/lib.rs"] = f"pub use p{following}::*;\nfn f(x: nothing::Here) {{}}\n"
    world = World(files)
    started = time.process_time()
    assert [edge.imported for edge in world.resolve("p7/src/lib.rs").edges] == ["p8/src/lib.rs"]
    assert time.process_time() - started < 20


def test_members_that_match_everything_are_not_expanded() -> None:
    files = {f"m{number}/{'d/' * (number % 40)}Cargo.toml": MANIFEST for number in range(2_000)}
    files |= {"Cargo.toml": '[workspace]\nmembers = ["**", "*/*/**/*", "../**", "/"]\nexclude = ["**"]\n'}
    world = World(files | {"m1/d/src/lib.rs": "mod a;\n", "m1/d/src/a.rs": "use crate::a;\n"})
    started = time.process_time()
    assert [edge.imported for edge in world.resolve("m1/d/src/lib.rs").edges] == ["m1/d/src/a.rs"]
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "source",
    [
        "mod a {" * 5_000 + "mod x; use super::super::b; use self::c::D;" + "}" * 5_000,
        "use " + "a::{" * 5_000 + "b" + "}" * 5_000 + ";",
        "use " + "super::" * 5_000 + "a;",
        "".join(f"use a{number}::*;" for number in range(5_000)) + "fn f(x: y::Z) {}",
        "".join(f"use a{number}::*;" for number in range(500)) + "fn f(x: y::Z) {}",
    ],
    ids=["modules", "use trees", "supers", "globs", "fewer globs"],
)
def test_five_thousand_levels_take_no_time_and_lead_nowhere(source: str) -> None:
    started = time.process_time()
    world = World({"Cargo.toml": MANIFEST, "src/lib.rs": source})
    assert world.resolve("src/lib.rs").edges == ()
    assert time.process_time() - started < 15


@pytest.mark.parametrize(
    "path",
    [
        "../../../../etc/passwd",
        "/etc/passwd",
        "..",
        "",
        "a/../../../x.rs",
        "\\\\host\\share\\x.rs",
        "file:///etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_repository(path: str) -> None:
    source = (
        f'#[path = "{path}"]\nmod a;\n#[cfg_attr(x, path = "{path}")]\nmod b;\n#[path = "{path}"]\nmod c {{ mod d; }}\n'
        f'include!("{path}");\nconst S: &str = include_str!("{path}");\n'
    )
    resolved = World({"Cargo.toml": MANIFEST, "src/lib.rs": source}).resolve("src/lib.rs")
    assert resolved.edges == ()
    assert {outside.specifier for outside in resolved.outside} >= {"a", "b"}


def test_a_loop_of_links_ends() -> None:
    contents = {"Cargo.toml": MANIFEST.encode(), "src/lib.rs": b"mod a;\nmod b;\nmod c;\n"}
    facts = extract(Language.RUST, contents["src/lib.rs"])
    repository = Repository(
        contents,
        links={"src/a": "src/a", "src/b.rs": "src/c.rs", "src/c.rs": "src/b.rs", "src/b": "src"},
        read=contents.get,
        interface=lambda path: facts.interface if path == "src/lib.rs" else b"",
    )
    resolved = resolve_file("src/lib.rs", Language.RUST, facts.imports, RecordingIndex(repository, Settings()))
    assert resolved.edges == ()
    assert [outside.specifier for outside in resolved.outside] == ["a", "b", "c"]
