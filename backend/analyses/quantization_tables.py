"""The tables of the quantization sweep: scores, orders, assignments, and loss against bits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import Z95, mean_error
from backend.analyses.quantization_scores import low_layers, order_by, ranks
from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.whatif.values import Quantize, WhatIf, skip

if TYPE_CHECKING:
    from backend.analyses.quantization import Losses
    from backend.whatif.sizes import Sizes


@dataclass(frozen=True)
class Order:
    """Layers from the most to the least important, by one score; `pruned` takes the least out."""

    name: str
    layers: np.ndarray
    pruned: bool = False


@dataclass(frozen=True)
class Assignment:
    """Bits of every layer; 0 for one that is taken out."""

    order: str
    low_layers: int
    bits: tuple[int, ...]

    def whatif(self, how: Quantize) -> WhatIf:
        """The change of the model; `how` holds the options of rounding."""
        kept = tuple((layer, b) for layer, b in enumerate(self.bits) if b)
        return skip(i for i, b in enumerate(self.bits) if not b) + WhatIf(
            (replace(how, bits=kept),)
        )


def change(
    after: np.ndarray, before: np.ndarray, tokens: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean change of the loss per token with a 95 % interval over texts.

    Parameters
    ----------
    after, before : (plans, texts) summed losses; tokens : (texts,).

    Returns
    -------
    change, low, high, each (plans,) in nats per token; with one text the ends are NaN. The mean is
    over tokens; the interval is the delta method's for a ratio of sums over texts.
    """
    gap = after - before
    total = tokens.sum()
    middle = gap.sum(axis=1) / total
    residual = (gap - middle[:, None] * tokens).T / tokens.mean()
    half = Z95 * np.atleast_1d(mean_error(residual))
    return middle, middle - half, middle + half


def scores_table(
    lim: dict[str, np.ndarray], zd: dict[str, np.ndarray], names: Mapping, found: "Losses",
    n: int, low: int,
) -> pa.Table:  # fmt: skip
    """One line for each layer: what says that it matters, and what it costs to change it."""
    only_low = found.take([names["low", layer] for layer in range(n)]).sums
    all_high = found.take([names["low", -1]]).sums
    value, under, over = change(only_low, all_high, found.tokens)
    skipped = found.take([names["skip", layer] for layer in range(n)]).sums
    base = found.take([names["base"]]).sums
    pruned, pruned_low, pruned_high = change(skipped, base, found.tokens)
    return pa.table({
        "layer": np.arange(n, dtype=np.int32),
        **lim, **zd,
        "sensitivity": value, "sensitivity_low": under, "sensitivity_high": over,
        "pruned": pruned, "pruned_low": pruned_low, "pruned_high": pruned_high,
        "lim_rank": ranks(lim["lim"], high_is_important=True).astype(np.int32),
        "zd_rank": ranks(zd["zd"], high_is_important=False).astype(np.int32),
        "sensitivity_rank": ranks(value, high_is_important=True).astype(np.int32),
    })  # fmt: skip


def widths_table(names: Mapping, found: "Losses", n: int) -> pa.Table:
    """Each layer alone, and all of them (layer -1), at each width, the rest untouched."""
    keys = [k for k in names if k[0] == "bits"]
    base = found.take([names["base"]]).sums
    after = found.take([names[k] for k in keys]).sums
    value, under, over = change(after, base, found.tokens)
    return pa.table({
        "layer": np.array([k[1] for k in keys], dtype=np.int32),
        "bits": np.array([k[2] for k in keys], dtype=np.int32),
        "loss": after.sum(axis=1) / found.tokens.sum(),
        "change": value, "low": under, "high": over,
    })  # fmt: skip


def orders_of(scores: pa.Table, wanted: Sequence[str], *, randoms: int, seed: int) -> list[Order]:
    """The orders by name; `random` stands for so many shuffles."""
    columns = {
        "lim": ("lim", True), "zd": ("zd", False), "sensitivity": ("sensitivity", True),
        "lim-flattened": ("lim_flattened", True), "zd-two-sided": ("zd_two_sided", False),
    }  # fmt: skip
    out = []
    for name in wanted:
        if name == "random":
            out += [
                Order(f"random-{i}", np.random.default_rng([seed, i]).permutation(len(scores)))
                for i in range(randoms)
            ]
            continue
        kind, _, bare = name.rpartition("-") if name not in columns else ("", "", name)
        column, high = columns[bare]
        layers = order_by(scores[column].to_numpy(), high_is_important=high)
        out.append(Order(name, layers[::-1] if kind == "reversed" else layers, kind == "pruned"))
    return out


def assigned(result: Result, order: str, low: int) -> WhatIf:
    """The what-if in which the `low` least important layers of an order get fewer bits.

    Raises
    ------
    AnalysisError : the result has no such order, or not so many layers.
    """
    s: dict = result.scalars
    known = list(dict.fromkeys(result.tables["curve"]["order"].to_pylist()))
    if order not in known:
        raise AnalysisError(f"There is no order {order!r}.", f"Choose from: {', '.join(known)}.")
    n, random = s["blocks"], order.startswith("random-")
    if not 0 <= low <= n:
        raise AnalysisError(f"{low} layers cannot be low.", f"Give 0 to {n}.")
    names = ["random" if random else order]
    count = int(order.rpartition("-")[2]) + 1 if random else 0
    seed = result.provenance["seed"]
    found = orders_of(result.tables["scores"], names, randoms=count, seed=seed)[-1]
    how = Quantize((), s["group"], s["symmetric"], s["quantizer"])
    return _assign(found, n, low, s["high"], s["low"]).whatif(how)


def assignments(
    orders: Sequence[Order], n: int, high: int, low: int, points: int
) -> list[Assignment]:
    """For each order the bits of every layer with 0 to all of the least important ones low."""
    counts = np.unique(np.linspace(0, n, (points or n) + 1).round().astype(int)).tolist()
    return [_assign(order, n, k, high, low) for order in orders for k in counts]


def _assign(order: Order, n: int, k: int, high: int, low: int) -> Assignment:
    """An order with its k least important layers low, or taken out."""
    bits = np.full(n, high)
    bits[low_layers(order.layers, k)] = 0 if order.pruned else low
    return Assignment(order.name, k, tuple(bits.tolist()))


def curve_table(
    plans: Sequence[Assignment], after: "Losses", base: "Losses", sizes: "Sequence[Sizes]"
) -> dict[str, pa.Table]:
    """Loss against bits; the interval is that of the change against the untouched model."""
    value, under, over = change(after.sums, base.sums, after.tokens)
    start = float(base.sums.sum() / base.tokens.sum())
    curve = pa.table({
        "order": [p.order for p in plans],
        "low_layers": np.array([p.low_layers for p in plans], dtype=np.int32),
        "average_bits": [size.average_bits for size in sizes],
        "file_bits": [size.file_bits for size in sizes],
        "loss": start + value, "low": start + under, "high": start + over,
    })  # fmt: skip
    lines = [(p.order, p.low_layers, layer, b) for p in plans for layer, b in enumerate(p.bits)]
    order, low, layer, bits = zip(*lines, strict=True)
    assigned = pa.table({
        "order": pa.array(order), "low_layers": pa.array(low, pa.int32()),
        "layer": pa.array(layer, pa.int32()), "bits": pa.array(bits, pa.int32()),
    })  # fmt: skip
    return {"curve": curve, "assignment": assigned}
