"""The same against the peers on texts of mixed length: they batch as texts arrive, we by length."""

from pathlib import Path

from capture import against_peers, compare
from material import mixed
from measure import Line

ROWS = 64


def run(pairs: int, folder: Path) -> list[Line]:
    """Three sentences to one paragraph, cut at 128 tokens; the peers take 8 at a time."""
    texts = mixed(folder / "data", ROWS)
    times = compare(texts, ("ours", "TransformerLens", "nnsight"), pairs, folder)
    return against_peers("lengths", times, bar=1.8)
