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
        _cffi_backend: cffi
        _pytest: pytest
        allauth: django-allauth
        apiclient: google-api-python-client
        argon2: argon2-cffi
        attr: attrs
        barcode: python-barcode
        Bio: biopython
        brotli: brotli brotlipy
        bs4: beautifulsoup4
        cairo: pycairo
        corsheaders: django-cors-headers
        crispy_forms: django-crispy-forms
        Crypto: pycryptodome pycrypto
        Cryptodome: pycryptodomex
        cv2: opencv-python opencv-python-headless opencv-contrib-python
        debug_toolbar: django-debug-toolbar
        discord: discord-py
        django_filters: django-filter
        dns: dnspython
        docx: python-docx
        engineio: python-engineio
        environ: django-environ
        faiss: faiss-cpu faiss-gpu
        fitz: pymupdf
        gi: pygobject
        git: gitpython
        github: pygithub
        gitlab: python-gitlab
        google.oauth2: google-auth
        google.protobuf: protobuf
        googleapiclient: google-api-python-client
        graphql: graphql-core
        grpc: grpcio
        grpc_status: grpcio-status
        grpc_tools: grpcio-tools
        IPython: ipython
        jose: python-jose
        jwt: pyjwt
        kafka: kafka-python
        ldap: python-ldap
        Levenshtein: levenshtein python-levenshtein
        magic: python-magic
        markdown_it: markdown-it-py
        mpl_toolkits: matplotlib
        mptt: django-mptt
        multipart: python-multipart
        MySQLdb: mysqlclient
        nacl: pynacl
        OpenGL: pyopengl
        OpenSSL: pyopenssl
        opentelemetry: opentelemetry-api
        PIL: pillow
        pkg_resources: setuptools
        pptx: python-pptx
        psycopg2: psycopg2-binary psycopg2
        psycopg: psycopg psycopg-binary
        pylab: matplotlib
        pythoncom: pywin32
        pythonjsonlogger: python-json-logger
        pywintypes: pywin32
        rest_framework: djangorestframework
        ruamel.yaml: ruamel-yaml
        serial: pyserial
        skimage: scikit-image
        sklearn: scikit-learn
        slugify: python-slugify
        snappy: python-snappy
        socketio: python-socketio
        socks: pysocks
        speech_recognition: speechrecognition
        storages: django-storages
        telegram: python-telegram-bot
        tensorflow: tensorflow tensorflow-cpu tensorflow-gpu
        tlz: toolz cytoolz
        umap: umap-learn
        usb: pyusb
        whois: python-whois
        win32api: pywin32
        win32con: pywin32
        win32file: pywin32
        wx: wxpython
        xdist: pytest-xdist
        Xlib: python-xlib
        yaml: pyyaml
        zmq: pyzmq
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
