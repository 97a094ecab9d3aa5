"""One key for every number: equal inputs give equal keys, on every machine."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def digest(parts: Mapping[str, object]) -> str:
    """Name a computation by what went into it.

    Parameters
    ----------
    parts : JSON-able mapping; key order does not matter.

    Returns
    -------
    32 hexadecimal digits of the SHA-256 of the canonical JSON text.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_file(path: Path, *, chunk_bytes: int = 1 << 22) -> str:
    """SHA-256 of a file's bytes (64 hexadecimal digits), read in chunks."""
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(chunk_bytes):
            sha.update(block)
    return sha.hexdigest()
