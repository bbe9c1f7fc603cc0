"""Facts as bytes: encoded once by the process that made them, kept as bytes until somebody needs them."""

from blake3 import blake3
from msgspec import msgpack

from weft_storage.model.facts import Declaration, FileFacts, Import
from weft_storage.model.languages import Language
from weft_storage.model.runs import StoredFacts
from weft_tasks.extract import extractor_identity

KEY_BYTES = 16

_encoder = msgpack.Encoder()
_imports_decoder = msgpack.Decoder(tuple[Import, ...])
_declarations_decoder = msgpack.Decoder(tuple[Declaration, ...])


def facts_key(digest: bytes, language: Language) -> bytes:
    """The identity of the facts of a content (16 bytes): content, language, extractor and grammar version."""
    return blake3(digest + extractor_identity(language).encode()).digest(KEY_BYTES)


def encode_facts(key: bytes, facts: FileFacts) -> StoredFacts:
    """Facts with their parts encoded."""
    return StoredFacts(
        key=key,
        imports=_encoder.encode(facts.imports),
        declarations=_encoder.encode(facts.declarations),
        interface=facts.interface,
        problems=facts.problems,
    )


def decode_imports(encoded: bytes) -> tuple[Import, ...]:
    """The imports of stored facts."""
    return _imports_decoder.decode(encoded)


def decode_declarations(encoded: bytes) -> tuple[Declaration, ...]:
    """The declarations of stored facts."""
    return _declarations_decoder.decode(encoded)
