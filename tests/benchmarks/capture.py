"""Time of a stored capture of all 31 residual sites: over the bare model, and under the peers."""

from collections.abc import Callable
from pathlib import Path

import methods
from material import Texts, even, settings, smollm2
from measure import Line, Seconds, alternate, ratios

from backend.models.loading import load

ROWS = 64
NAMES = ("bare", "ours", "TransformerLens", "nnsight")


def run(pairs: int, folder: Path) -> list[Line]:
    """Batches of 16 x 64 tokens."""
    times = compare(even(folder / "data", ROWS), NAMES, pairs, folder)
    seconds = sorted(times["bare"])[len(times["bare"]) // 2] / (ROWS / 16)
    note = f"the bare model takes {seconds:.2f} s for a batch of 16 x 64 (median)"
    return [
        Line("capture", "pooled and stored / bare model", ratios(times, "ours", "bare"), bar=1.05,
             note=note),
        *against_peers("capture", times, bar=1.25),
    ]  # fmt: skip


def against_peers(group: str, times: Seconds, *, bar: float) -> list[Line]:
    """How many times longer the peers take."""
    peers = [name for name in times if name not in ("bare", "ours")]
    return [
        Line(group, f"{name} / ours", ratios(times, name, "ours"), bar=bar, at_least=True)
        for name in peers
    ]


def compare(texts: Texts, names: tuple[str, ...], pairs: int, folder: Path) -> Seconds:
    """Seconds of each method; all must first give the same numbers."""
    model = load(smollm2(), settings())
    made = {n: methods.METHODS[n](model, texts, folder / n) for n in names}
    calls: dict[str, Callable] = {n: m.run for n, m in made.items()}
    alternate(calls, 1, warm=0)
    methods.check({n: m.answer() for n, m in made.items() if n != "bare"})
    return alternate(calls, pairs, warm=0)
