"""Grammars are in the wheels: extraction fetches nothing, for every language, on a machine that never had a cache."""

import os
import subprocess
import sys
from pathlib import Path

# Python's own network calls fail by an audit hook; a native client would go to a proxy that is not there, and would
# leave what it fetched in a cache below HOME.
_CHILD = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        raise SystemExit(f"network access: {event} {arguments}")

sys.addaudithook(refuse)
from weft_storage.model.languages import Language
from weft_tasks.extract import extract

sources = {
    Language.PYTHON: b"import a", Language.TYPESCRIPT: b"import './a'", Language.TSX: b"import './a'; <b/>",
    Language.JAVASCRIPT: b"import './a'", Language.GO: b'package p; import "a"', Language.RUST: b"mod a;",
    Language.VUE: b"<script>import './a'</script>", Language.SVELTE: b"<script>import './a'</script>",
    Language.ASTRO: b"--- import './a' ---",
}
for language in Language:
    facts = extract(language, sources[language])
    assert len(facts.imports) == 1 and not facts.problems, facts
print("extracted", len(sources))
"""


def test_extraction_fetches_nothing(tmp_path: Path) -> None:
    dead = "http://127.0.0.1:9"
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if "proxy" not in key.lower()},
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), dead),
        **dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"), str(home)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run([sys.executable, "-c", _CHILD], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("extracted 9\n", "", 0)
    assert list(home.rglob("*")) == []
