"""Python: where `import` and `from … import` lead in the repository."""

from weft_tasks.resolve.base import Resolver
from weft_tasks.resolve.python.resolver import PythonResolver

RESOLVER: Resolver = PythonResolver()
