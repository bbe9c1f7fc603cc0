"""Log lines of a worker: a sentence plus fields, as text or JSON. Knows nothing of what is logged."""

import json
import logging
import sys
import time

from weft_tasks.worker.settings import LogLevel

_OWN = ("weft_tasks", "weft_storage", "weft")

_LEVELS = {LogLevel.QUIET: logging.WARNING, LogLevel.NORMAL: logging.INFO, LogLevel.VERBOSE: logging.DEBUG}

# Attributes of every record; whatever else one has is a field.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}


def set_up_logging(log_format: str, level: LogLevel) -> None:
    """Log to stderr: our own lines, and of others only warnings unless all is wanted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers = [handler]
    # Celery's advice to its users: on settings of other versions, on running as root.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(root.level if level is LogLevel.VERBOSE else logging.ERROR)
    root.setLevel(logging.INFO if level is LogLevel.VERBOSE else logging.WARNING)
    for name in _OWN:
        logging.getLogger(name).setLevel(_LEVELS[level])


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        line |= _fields(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """Time, level, the sentence, then the fields; what is not printable is escaped, so that a line stays one."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        text = f"{record.levelname.lower()}: {record.getMessage()}{fields}"
        plain = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{_time(record)} {plain}{trace}"


def _time(record: logging.LogRecord) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{stamp}.{int(record.msecs):03d}Z"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
