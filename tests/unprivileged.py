"""Calls in a process for which file permissions count, though root may run the tests."""

import codecs
import importlib
import json
import os
import pkgutil
from collections.abc import Callable

import weft
import weft_storage
import weft_tasks
from weft.pipeline.epoch import program_version
from weft_storage.model.languages import Language
from weft_tasks.extract import extractor_identity


def _load_everything() -> None:
    """The child may not be able to read the program any more."""
    for package in (weft, weft_tasks, weft_storage):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    importlib.import_module("numpy")
    for codec in ("ascii", "utf-8", "latin-1", "idna"):
        codecs.lookup(codec)
    program_version()
    for language in Language:
        extractor_identity(language)


def unprivileged(call: Callable[[], object]) -> object:
    """What a call returns (or raises, as text) in a process for which permissions count, though root runs the tests."""
    _load_everything()
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            answer = call()
        except BaseException as exc:
            answer = f"raised {exc!r}"
        os.write(write_end, json.dumps(answer).encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    with os.fdopen(read_end, "rb") as pipe:
        return json.loads(pipe.read())
