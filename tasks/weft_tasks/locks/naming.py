"""Names of imports and names of packages: which package of a lock an import means. Knows no lock.

For TypeScript, Go and Rust an import names its package. In Python it names a module, and nothing in the repository says
which distribution holds that: the declared one of that name, a well-known one, or one named by a common habit.
"""

from collections.abc import Iterator

from weft_storage.model.languages import Family
from weft_storage.model.paths import ancestors
from weft_tasks.locks import cargo
from weft_tasks.locks.gomod import STANDARD_LIBRARY
from weft_tasks.locks.python_locks import normalized

# Distributions whose modules have other names, for as many of the most used ones as follow no habit.
_WELL_KNOWN = {
    module: tuple(distributions.split())
    for module, distributions in (
        line.strip().split(": ")
        for line in """
        attr: attrs
        bs4: beautifulsoup4
        cairo: pycairo
        cv2: opencv-python opencv-python-headless opencv-contrib-python
        Crypto: pycryptodome pycrypto
        Cryptodome: pycryptodomex
        discord: discord-py
        dns: dnspython
        docx: python-docx
        faiss: faiss-cpu faiss-gpu
        fitz: pymupdf
        flask_sqlalchemy: flask-sqlalchemy
        gi: pygobject
        git: gitpython
        github: pygithub
        gitlab: python-gitlab
        google.protobuf: protobuf
        googleapiclient: google-api-python-client
        grpc: grpcio
        grpc_status: grpcio-status
        grpc_tools: grpcio-tools
        IPython: ipython
        jose: python-jose
        jwt: pyjwt
        kafka: kafka-python
        ldap: python-ldap
        lxml: lxml
        magic: python-magic
        MySQLdb: mysqlclient
        nacl: pynacl
        OpenSSL: pyopenssl
        PIL: pillow
        pkg_resources: setuptools
        psycopg2: psycopg2-binary psycopg2
        py: py pytest
        _pytest: pytest
        ruamel.yaml: ruamel-yaml
        serial: pyserial
        setuptools: setuptools
        sklearn: scikit-learn
        skimage: scikit-image
        slugify: python-slugify
        socks: pysocks
        telegram: python-telegram-bot
        umap: umap-learn
        usb: pyusb
        win32api: pywin32
        win32con: pywin32
        win32file: pywin32
        pythoncom: pywin32
        wx: wxpython
        yaml: pyyaml
        zmq: pyzmq
        zope: zope-interface
        """.strip().splitlines()
    )
}
_HABITS = ("{}", "python-{}", "py{}", "{}-python", "{}-py")
_MAX_PARTS = 6

_TYPES = "@types/"


def package_names(family: Family, package: str, specifier: str) -> Iterator[str]:
    """Names by which a lock may know the package of an import, best first."""
    match family:
        case Family.TYPESCRIPT:
            yield package.removeprefix("npm:")
            if is_builtin(family, package) and not specifier.startswith("node:"):
                yield specifier.partition("/")[0]  # A bundler may have a stand-in of that name.
        case Family.RUST:
            yield cargo.normalized(package)
        case Family.GO if package == STANDARD_LIBRARY:
            yield package
        case Family.GO:
            yield from (path for path in (specifier, *ancestors(specifier)) if path)
        case Family.PYTHON:
            yield from _distributions(package, specifier)


def type_names(family: Family, package: str) -> Iterator[str]:
    """Names of packages that hold nothing but the types of a package."""
    match family:
        case Family.TYPESCRIPT if is_builtin(family, package):
            yield _TYPES + "node"
        case Family.TYPESCRIPT if not package.startswith(_TYPES):
            yield _TYPES + package.removeprefix("@").replace("/", "__")
        case Family.PYTHON:
            yield from (f"types-{normalized(package)}", f"{normalized(package)}-stubs")


def is_types(family: Family, name: str) -> bool:
    """Whether a package holds nothing but types."""
    if family is Family.TYPESCRIPT:
        return name.startswith(_TYPES)
    return family is Family.PYTHON and (name.startswith("types-") or name.endswith("-stubs"))


def is_builtin(family: Family, package: str) -> bool:
    """Whether an import means a module of Node.js, or of Go's standard library."""
    if family is Family.GO:
        return package == STANDARD_LIBRARY
    return family is Family.TYPESCRIPT and package.startswith("node:")


def names_modules(family: Family) -> bool:
    """Whether imports name modules, so that their package may be unknown."""
    return family is Family.PYTHON


def _distributions(package: str, specifier: str) -> Iterator[str]:
    yield normalized(package)
    parts = specifier.split(".")[:_MAX_PARTS]
    dotted = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    for module in dotted:
        yield from _WELL_KNOWN.get(module, ())
    for module in dotted:
        for habit in _HABITS:
            yield normalized(habit.format(module))
