"""TypeScript and JavaScript: where their imports lead."""

from weft_tasks.resolve.typescript.resolver import RESOLVER as RESOLVER
