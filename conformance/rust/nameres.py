"""rust-analyzer's fixtures of name resolution (crates/hir-def/src/nameres/tests), against the authorities.

    python -m conformance.rust.nameres PATH [OPTION]...

PATH is the folder of the fixtures in a checkout of rust-lang/rust-analyzer; the options are those of
`python -m conformance`. Each fixture becomes a folder, each of its crates a package there. Nothing of it is kept here.
"""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from conformance.__main__ import main as compare
from weft_storage.model.paths import join

_TEST = re.compile(r"^fn (?P<name>\w+)\(\) \{(?P<body>.*?)^\}", re.M | re.S)
_FIXTURE = re.compile(r'\br(?P<hashes>#*)"\n(?P<text>.*?)"(?P=hashes)', re.S)
_FILE = re.compile(r"^\s*//- (?P<path>/\S+)(?P<settings>[^\n]*)\n", re.M)
# Fixtures on which the pinned release of rust-analyzer panics, of mistakes that were mended later.
_PANICS = frozenset({"regression_22806"})
_DUMP = re.compile(r"\A\s*(?:crate\n|\(\w)")


@dataclass(slots=True)
class FixtureCrate:
    """A crate of a fixture: its first file is the root."""

    name: str
    root: str
    edition: str
    dependencies: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it as a package."""
        for path, text in self.files.items():
            file = folder / self.name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        lines = [f'[package]\nname = "{self.name}"\nversion = "0.0.0"\nedition = "{self.edition}"\nautobins = false']
        lines.append(f'[lib]\nname = "{self.name}"\npath = "{self.root}"\n[dependencies]')
        lines += [f'{name} = {{ path = "../{name}" }}' for name in self.dependencies]
        (folder / self.name / "Cargo.toml").write_text("\n".join(lines), encoding="utf-8")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(path: Path, options: Sequence[str]) -> None:
    """Write the fixtures into a folder, and compare on it."""
    with tempfile.TemporaryDirectory(prefix="weft-conformance-") as temporary:
        folder = Path(temporary, "rust-analyzer+nameres")
        count = 0
        for source in [path.with_suffix(".rs"), *sorted(path.glob("*.rs"))]:
            for name, text in fixtures(source.read_text(encoding="utf-8")):
                count += 1
                for crate in crates(text):
                    crate.write(folder / source.stem / f"{name}_{count}")
        click.echo(f"{count} fixtures", err=True)
        sys.exit(compare.main(["--language", "rust", *options, str(folder)], standalone_mode=False))


def fixtures(source: str) -> Iterator[tuple[str, str]]:
    """(name of the test, text) of each fixture of a file; expected outcomes are not among them."""
    for test in _TEST.finditer(source):
        for fixture in _FIXTURE.finditer(test["body"]):
            if test["name"] not in _PANICS and not _DUMP.match(fixture["text"]):
                yield test["name"], fixture["text"]


def crates(text: str) -> list[FixtureCrate]:
    """The crates of a fixture. A file with `crate:` begins one; without any file the whole text is `lib.rs`."""
    heads = list(_FILE.finditer(text))
    if not heads:
        return [FixtureCrate("main", "lib.rs", "2024", (), {"lib.rs": text})]
    found: list[FixtureCrate] = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        settings = dict(each.split(":", 1) for each in head["settings"].split() if ":" in each)
        path = join("", head["path"].lstrip("/")) or "lib.rs"
        if not found or "crate" in settings:
            name = settings.get("crate", "main").split("@")[0]
            depends = tuple(each for each in settings.get("deps", "").split(",") if each)
            found.append(FixtureCrate(name, path, settings.get("edition", "2024"), depends))
        found[-1].files[path] = text[head.end() : following.start() if following else len(text)]
    return found


if __name__ == "__main__":
    main()
