"""The tables of the quantization sweep: scores, orders, assignments, and loss against bits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import Z95, mean_error
from backend.analyses.quantization_scores import (
    average_bits,
    file_bits,
    low_layers,
    order_by,
    ranks,
)
from backend.analyses.result import Result, Scalar
from backend.errors import AnalysisError
from backend.whatif.values import Quantize, WhatIf, quantize, skip

if TYPE_CHECKING:
    from backend.analyses.quantization import Losses
    from backend.models.loading import LoadedModel


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


@dataclass(frozen=True)
class Budget:
    """What bits are counted over: linear weights of each block, and everything else."""

    weights: np.ndarray  # linear weights of each block
    others: np.ndarray  # other parameters of each block (norms, biases)
    rest: int  # parameters outside the blocks: embeddings, head, final norm
    full: int  # bits in which the model stores a parameter
    stored: Mapping[int, float]  # nominal bits -> bits with scales
    high: int
    low: int
    how: Quantize

    @classmethod
    def of(cls, model: "LoadedModel", high: int, low: int, how: Quantize) -> "Budget":
        """Count a model's parameters."""
        from backend.whatif.quantizer import in_features, linear_weights, stored_bits

        linear = [list(linear_weights(b).values()) for b in model.blocks]
        weights = np.array([sum(m.weight.numel() for m in ms) for ms in linear])  # type: ignore[operator,misc]
        every = np.array([sum(p.numel() for p in b.parameters()) for b in model.blocks])
        total = sum(p.numel() for p in model.model.parameters())
        inputs = in_features(linear[0][0])
        stored = {b: stored_bits(b, how.group, how.symmetric, inputs) for b in range(2, 9)}
        return cls(
            weights, every - weights, int(total - every.sum()),
            8 * next(model.model.parameters()).element_size(), stored, high, low, how,
        )  # fmt: skip

    def average(self, bits: Sequence[int]) -> float:
        """Nominal bits per linear weight of the blocks, as papers count."""
        return float(average_bits(np.array(bits), self.weights))

    def file(self, bits: Sequence[int]) -> float:
        """Stored bits per parameter of the whole model, scales and embeddings included."""
        others = int(self.others.sum()) + self.rest
        kept = self.rest + sum(int(n) for n, b in zip(self.others, bits, strict=True) if b)
        return file_bits(
            np.array([self.stored[b] if b else 0.0 for b in bits]), self.weights,
            other_parameters=others, other_bits=self.full * kept / max(others, 1),
        )  # fmt: skip

    def scalars(self) -> dict[str, Scalar]:
        return {
            "high": self.high, "low": self.low, "group": self.how.group,
            "symmetric": self.how.symmetric, "quantizer": self.how.quantizer,
            "block_parameters": int(self.weights.sum()),
            "parameters": int(self.weights.sum() + self.others.sum() + self.rest),
            "full_bits": self.full,
        }  # fmt: skip


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
    gone = sorted(int(i) for i in low_layers(found.layers, low))
    rest = {i: s["high"] for i in range(n) if i not in gone}
    how = {"group": s["group"], "symmetric": s["symmetric"], "quantizer": s["quantizer"]}
    if found.pruned:
        return skip(gone) + quantize(rest, **how)
    return quantize(rest | dict.fromkeys(gone, s["low"]), **how)


def assignments(
    orders: Sequence[Order], n: int, high: int, low: int, points: int
) -> list[Assignment]:
    """For each order the bits of every layer with 0 to all of the least important ones low."""
    counts = np.unique(np.linspace(0, n, (points or n) + 1).round().astype(int))
    out = []
    for order in orders:
        for k in counts.tolist():
            bits = np.full(n, high)
            bits[low_layers(order.layers, k)] = 0 if order.pruned else low
            out.append(Assignment(order.name, k, tuple(bits.tolist())))
    return out


def curve_table(
    plans: Sequence[Assignment], after: "Losses", base: "Losses", budget: Budget
) -> dict[str, pa.Table]:
    """Loss against bits; the interval is that of the change against the untouched model."""
    value, under, over = change(after.sums, base.sums, after.tokens)
    start = float(base.sums.sum() / base.tokens.sum())
    curve = pa.table({
        "order": [p.order for p in plans],
        "low_layers": np.array([p.low_layers for p in plans], dtype=np.int32),
        "average_bits": [budget.average(p.bits) for p in plans],
        "file_bits": [budget.file(p.bits) for p in plans],
        "loss": start + value, "low": start + under, "high": start + over,
    })  # fmt: skip
    lines = [(p.order, p.low_layers, layer, b) for p in plans for layer, b in enumerate(p.bits)]
    order, low, layer, bits = zip(*lines, strict=True)
    assigned = pa.table({
        "order": pa.array(order), "low_layers": pa.array(low, pa.int32()),
        "layer": pa.array(layer, pa.int32()), "bits": pa.array(bits, pa.int32()),
    })  # fmt: skip
    return {"curve": curve, "assignment": assigned}
