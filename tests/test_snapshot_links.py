"""Where symbolic links lead."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.snapshot.listing import Findings, follow_links, settle

PATHS = ("a.py", "pkg/b.py", "pkg/sub/c.py")


def follow(**texts: str) -> tuple[dict[str, str], dict[str, str]]:
    return follow_links({name.replace("__", "/"): text for name, text in texts.items()}, PATHS, "/root/x")


def test_a_link_leads_to_a_file_or_a_folder_inside() -> None:
    links, lost = follow(one="a.py", two="./pkg//sub/", pkg__three="../a.py", pkg__four=".", pkg__five="..", six=".")
    assert links == {"one": "a.py", "two": "pkg/sub", "pkg/three": "a.py", "pkg/four": "pkg", "pkg/five": "", "six": ""}
    assert lost == {}


def test_links_on_the_way_are_followed() -> None:
    links, _ = follow(dir="pkg/sub", through="dir/c.py", up="dir/../b.py", chain="through", pkg__again="../dir/c.py")
    assert links == {
        "dir": "pkg/sub",
        "through": "pkg/sub/c.py",
        "up": "pkg/b.py",
        "chain": "pkg/sub/c.py",
        "pkg/again": "pkg/sub/c.py",
    }


def test_links_that_lead_nowhere_have_a_reason() -> None:
    links, lost = follow(
        out="../x",
        deep="pkg/../../x",
        absolute="/etc/passwd",
        lost="nothing",
        empty="",
        me="me",
        ping="pong",
        pong="ping",
    )
    assert links == {}
    assert lost == {
        "empty": "symlink to nothing in the repository",
        "out": "symlink out of the repository",
        "deep": "symlink out of the repository",
        "absolute": "symlink out of the repository",
        "lost": "symlink to nothing in the repository",
        "me": "symlink loop",
        "ping": "symlink loop",
        "pong": "symlink loop",
    }


def test_absolute_links_into_the_root_lead_inside() -> None:
    links, lost = follow(file="/root/x/pkg/b.py", root="/root/x", beside="/root/xy/a.py", via="file")
    assert links == {"file": "pkg/b.py", "root": "", "via": "pkg/b.py"}
    assert lost == {"beside": "symlink out of the repository"}


def test_long_chains_of_links_take_linear_time() -> None:
    texts = {f"l{n}": "/".join([f"l{n + 1}/x/.."] * 400) for n in range(300)}
    texts |= {f"m{n}": f"m{n + 1}" for n in range(5000)} | {"m5000": "a.py"}
    texts |= {f"n{n}": f"n{n + 1}" for n in range(5000)} | {"n5000": "n0"}
    links, lost = follow_links(texts, PATHS, "/root")
    assert links == {f"m{n}": "a.py" for n in range(5001)}
    assert lost["l0"] == "symlink to nothing in the repository"
    assert lost["n17"] == "symlink loop"


def test_a_link_below_a_link_is_what_is_found_there() -> None:
    """No file system has such a thing, but a forged tree may."""
    links, _ = follow(pkg2="pkg", pkg2__b="nowhere", pkg3="pkg2")
    assert links == {"pkg2": "pkg", "pkg3": "pkg"}


NAMES = st.sampled_from(["a", "b", "c", "d"])
TARGETS = st.lists(st.sampled_from(["a", "b", "c", "d", "..", "."]), min_size=1, max_size=5).map("/".join)


@given(
    files=st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=5),
    links=st.dictionaries(st.lists(NAMES, min_size=1, max_size=2).map("/".join), TARGETS, max_size=4),
)
def test_links_lead_where_the_kernel_says(
    files: set[str], links: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("links") / "deep" / "root"
    files, links = _created(root, files, links)
    found = Findings(files=dict.fromkeys(files), texts=dict(links))
    listing = settle(found, (), str(root))
    for link in links:
        real = os.path.realpath(root / link)
        inside = os.path.relpath(real, root)
        expected = None
        if os.path.isfile(root / link) or (os.path.isdir(root / link) and any(Path(real).rglob("*"))):
            expected = "" if inside == "." else inside
        if expected is not None and not expected.startswith("..") and not _only_links(root / expected):
            assert listing.links.get(link) == expected
        if link in listing.links and os.path.exists(root / link):
            assert (listing.links[link] or ".") == inside


def _created(root: Path, files: set[str], links: dict[str, str]) -> tuple[set[str], dict[str, str]]:
    """Those of the files and links that can exist beside each other, made on disk."""
    root.mkdir(parents=True)
    made_files, made_links = set(), {}
    for path in sorted(files):
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("")
            made_files.add(path)
        except OSError:
            pass
    for path, text in sorted(links.items()):
        parents = [root.joinpath(*path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
        if any(parent.is_symlink() for parent in parents):
            continue
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(text)
            made_links[path] = text
        except OSError:
            pass
    return made_files, made_links


def _only_links(path: Path) -> bool:
    """Whether a folder holds no regular file at any depth: git does not know it then."""
    return path.is_dir() and not any(each.is_file() and not each.is_symlink() for each in path.rglob("*"))
