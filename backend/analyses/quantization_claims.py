"""What the quantization paper found, measured on a sweep; and what a sweep says in a sentence."""

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import number, rank_correlation, say
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured

_PAPER = "Dumitru et al. 2025"
CLOSE = 0.1  # nats per token above all-high that still count as close


def reading(scalars: dict, tables: dict[str, pa.Table]) -> str:
    """The budget's cost in order and out of order, and how well the scores rank the layers."""
    curve, scores = _Curve(tables["curve"]), tables["scores"]
    half = curve.nearest(0.5)
    lim = curve.at("lim", half)
    random = np.mean([curve.at(o, half) for o in curve.random])
    rho = {
        name: say(*rank_correlation(sign * scores[name].to_numpy(), _cost(scores)))
        for name, sign in (("lim", 1), ("zd", -1))
    }
    return (
        f"With {half} of {scalars['blocks']} layers at {scalars['low']} instead of "
        f"{scalars['high']} bits the loss is {number(lim)} nats per token in LIM's order and "
        f"{number(random)} in random order (untouched: {number(scalars['base_loss'])}). Rank "
        f"correlation with measured sensitivity: LIM {rho['lim']}, ZD {rho['zd']} "
        f"({scalars['n']} texts, {scalars['tokens']} tokens)."
    )


def _cost(scores: pa.Table) -> np.ndarray:
    return scores["sensitivity"].to_numpy()


class _Curve:
    """The curve's losses by order and number of low layers."""

    def __init__(self, table: pa.Table):
        names, counts = table["order"].to_pylist(), table["low_layers"].to_pylist()
        losses = table["loss"].to_pylist()
        self.loss = dict(zip(zip(names, counts, strict=True), losses, strict=True))
        self.counts = sorted(set(counts))
        self.random = sorted({n for n in names if n.startswith("random-")})

    def at(self, order: str, low: int) -> float:
        return self.loss[order, low]

    def nearest(self, share: float) -> int:
        """The number of low layers that is nearest to a share of all."""
        return min(self.counts, key=lambda k: abs(k - share * self.counts[-1]))

    def close_until(self, order: str) -> float:
        """The largest share of low layers up to which the loss stays close to all-high's."""
        last = 0
        for k in self.counts:
            if self.loss[order, k] - self.loss[order, 0] > CLOSE:
                break
            last = k
        return last / self.counts[-1]


def _claim_close(result: Result) -> Measured:
    curve = _Curve(result.tables["curve"])
    lim, zd = curve.close_until("lim"), curve.close_until("zd")
    random = [curve.close_until(o) for o in curve.random]
    text = (
        f"within {CLOSE} nats until {lim:.0%} of layers in LIM's order, {zd:.0%} in ZD's, "
        f"{np.mean(random):.0%} in random order ({len(random)} orders, {min(random):.0%} to "
        f"{max(random):.0%})"
    )
    best = max(lim, zd)
    return Measured(text, "agrees" if best >= 0.25 and np.mean(random) <= 0.1 else "differs")


def _claim_order(result: Result) -> Measured:
    curve = _Curve(result.tables["curve"])
    inner = [k for k in curve.counts if 0 < k <= curve.counts[-1] / 2]
    if not inner:
        return Measured("needs more layers", "not testable here")

    def area(order: str) -> float:
        return float(np.mean([curve.at(order, k) for k in inner]))

    random = [area(o) for o in curve.random]
    text = ", ".join(f"{o} {number(area(o))}" for o in ("lim", "zd", "reversed-lim"))
    text += f", random {number(float(np.mean(random)))} (best {number(min(random))})"
    good = max(area("lim"), area("zd")) < np.mean(random) < area("reversed-lim")
    return Measured(f"mean loss up to half the layers: {text}", "agrees" if good else "differs")


def _claim_pruning(result: Result) -> Measured:
    curve, low = _Curve(result.tables["curve"]), result.scalars["low"]
    inner = [k for k in curve.counts if 0 < k <= curve.counts[-1] / 2]
    if not inner:
        return Measured("needs more layers", "not testable here")
    gaps = [curve.at("pruned-lim", k) - curve.at("lim", k) for k in inner]
    text = (
        f"taking layers out costs {number(min(gaps))} to {number(max(gaps))} nats more than "
        f"{low} bits for the same layers, up to half of them"
    )
    if low == 2:
        return Measured(f"{text} (2 bits is the paper's exception)", "not testable here")
    return Measured(text, "agrees" if min(gaps) > 0 else "differs")


def _claim_ends(result: Result) -> Measured:
    scores = result.tables["scores"]
    n = len(scores)
    if n < 4:
        return Measured("needs four layers", "not testable here")
    place = scores["sensitivity_rank"].to_pylist()
    text = f"measured rank of the first layer {place[0]}, of the last {place[-1]}, of {n}"
    good = max(place[0], place[-1]) <= max(2, n // 4)
    return Measured(text, "agrees" if good else "differs")


def _elsewhere(what: str):
    return lambda result: Measured(what, "not testable here")


CLAIMS = (
    Claim(
        "close", _PAPER,
        "Performance stays close to the original until 25 to 50 % of the layers are moved to the "
        f"lower level in the proposed order, without an order only until 5 to 10 % (here: within "
        f"{CLOSE} nats per token of all layers at the higher level; LIM or ZD must reach 25 %, "
        "random orders on average no more than 10 %).",
        _claim_close,
    ),
    Claim(
        "order", _PAPER,
        "An order by importance loses less than no order (here: LIM and ZD below the mean of the "
        "random orders, and that below LIM reversed, over the first half of the layers).",
        _claim_order,
    ),
    Claim(
        "pruning", _PAPER,
        "Fewer bits cost less than taking the same layers out, except at an extreme 2 bits.",
        _claim_pruning,
    ),
    Claim(
        "ends", f"{_PAPER}, first version",
        "The first and the last layers matter most (here: both within the most sensitive quarter).",
        _claim_ends, unconfirmed=True,
    ),
    Claim(
        "dynamic", _PAPER,
        "Quantizers that give bits dynamically gain from the layers' importance too.",
        _elsewhere("no such quantizer is run"),
    ),
    Claim(
        "larger", _PAPER,
        "It works better for larger models with more layers.",
        _elsewhere("needs several sizes of one model"),
    ),
)  # fmt: skip
