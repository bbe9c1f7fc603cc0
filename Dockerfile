# One image for everything: scan, worker, flower, migrate. Small, not root, content with a read-only file system:
#   docker build --tag weft .
#   docker run --rm --read-only --tmpfs /tmp --volume "$PWD:/src:ro" weft scan /src --store /tmp/graph.db
# Another base, for instance by digest or from a mirror of one's own: --build-arg PYTHON_IMAGE=…
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie


FROM ${PYTHON_IMAGE} AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

# Without pip: what runs in production installs nothing.
RUN python3 -m venv --without-pip /opt/weft

WORKDIR /source

# Dependencies come first: they change less often than the program, so this layer is mostly there already.
COPY pyproject.toml ./
RUN python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /tmp/dependencies \
    && python3 -m pip --python /opt/weft/bin/python install --only-binary :all: --requirement /tmp/dependencies

COPY README.md ./
COPY orchestrator orchestrator
COPY tasks tasks
COPY storage storage
RUN python3 -m pip wheel --no-deps --wheel-dir /tmp/wheels . \
    && python3 -m pip --python /opt/weft/bin/python install --no-deps /tmp/wheels/weft-*.whl

# The grammars of 160 other languages and the test suites of numpy and scipy are two thirds of the weight.
# The doctor then shows that what is needed is still there.
RUN /opt/weft/bin/python -c "import pathlib, tree_sitter_language_pack as pack; from weft_storage.model.languages import Language; [file.unlink() for file in pathlib.Path(pack.__file__).with_name('bindings').glob('*.so') if file.name.partition('.')[0] not in set(Language)]" \
    && find /opt/weft -type d -name tests -prune -exec rm -r {} + \
    && /opt/weft/bin/python -c "from weft_storage.model.languages import Language; from weft_tasks.extract.grammar import parser_of; [parser_of(each) for each in Language]; import scipy.sparse.csgraph, flower.app, kombu.transport.redis, psycopg_pool"


FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="weft" \
      org.opencontainers.image.description="Distributed, incremental code-dependency analyzer for large monorepos"

# A tmpfs that is mounted on a folder of the image gets its mode, and root as its owner, so everybody may write to /run/weft.
# Git reads repositories. Its version is the distribution's, which replaces packages when they have holes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 weft \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin weft \
    && install --directory --mode 1777 /run/weft

COPY --from=builder /opt/weft /opt/weft

ENV PATH=/opt/weft/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /

# Of a worker, which is what runs all the time; whoever runs something else says how to look at that.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["weft", "doctor", "--quiet", "--heartbeat-file", "/run/weft/heartbeat", "--max-age", "60"]

ENTRYPOINT ["weft"]
CMD ["--help"]
