"""Tables of predicted scores: by item, by criterion, by layer; items by name, never their text."""

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import Z95
from backend.analyses.rated_items import Items
from backend.analyses.rated_scores import STRICT, Agreement, Direct, Predicted
from backend.rasch.component_score import score_contributions

_BINS = 10  # of a calibration curve
_EXPLAINED = 24  # items whose score is taken apart


def layer_lines(
    site: str, index: int, n: int, found: dict[str, tuple[Agreement, float]], control: float
) -> list[dict]:
    """Lines of `layers` for one site: agreement of each target's ridge with debiased measures.

    `found` gives, by target, the agreement and r with the target itself.
    """
    return [
        {"site": site, "index": index, "target": target, "r": a.r, "r_low": a.low,
         "r_high": a.high, "rmse": a.rmse, "r_own": own, "control": control, "n": n}
        for target, (a, own) in found.items()
    ]  # fmt: skip


def methods_table(found: dict[str, tuple[str, Agreement]], n: int) -> pa.Table:
    """One line for each way of predicting, all held against debiased measures."""
    return _table(
        [{"method": method, "description": said, "r": a.r, "low": a.low, "high": a.high,
          "rmse": a.rmse, "mae": a.mae, "n": n} for method, (said, a) in found.items()],
        "n",
    )  # fmt: skip


def predictions_table(items: Items, head: Predicted, direct: Direct) -> pa.Table:
    """Measured and predicted scores of each held-out item, logits."""
    ruler, place = items.ruler, items.place
    se = ruler.errors[place]
    n = np.bincount(ruler.item, minlength=len(ruler.names))[place]
    return pa.table(
        {
            "item": [ruler.names[i] for i in place],
            "measure": items.measures,
            "se": se,
            "low": items.measures - Z95 * se,
            "high": items.measures + Z95 * se,
            "predicted_soft": head.soft,
            "predicted_hard": head.hard,
            "direct": direct.measure,
            "direct_raw": direct.raw,
            "raw_mean": items.raw,
            "fold": pa.array(items.fold, pa.int32()),
            "ratings": pa.array(n, pa.int32()),
            "extreme": ruler.extreme[place],
        }
    )


def contributions(items: Items, head: Predicted) -> tuple[float, np.ndarray]:
    """The mean predicted score, and what each criterion adds to it to first order, (n, L)."""
    ruler, reference = items.ruler, float(head.soft.mean())
    return reference, score_contributions(
        head.expected, ruler.difficulties, ruler.thresholds, reference=reference
    )


def components_table(items: Items, head: Predicted) -> pa.Table:
    """Some predictions taken apart, from the lowest to the highest.

    `contribution` is to first order around `reference`, the mean predicted score; `score` is the
    whole prediction. `observed` is the mean rating that the item got, by raters as they were.
    """
    ruler = items.ruler
    reference, parts = contributions(items, head)
    order = np.argsort(head.soft, kind="stable")
    chosen = order[np.unique(np.linspace(0, items.n - 1, _EXPLAINED).round().astype(int))]
    observed = _observed(items)
    lines = [
        {"item": ruler.names[items.place[i]], "criterion": name, "expected": head.expected[i, c],
         "observed": observed[i, c], "most": len(ruler.thresholds[c]), "contribution": parts[i, c],
         "score": head.soft[i], "measure": items.measures[i], "reference": reference}
        for i in chosen for c, name in enumerate(ruler.criteria)
    ]  # fmt: skip
    return _table(lines, "most")


def _observed(items: Items) -> np.ndarray:
    """Mean rating (n, L), NaN where an item has none on a criterion."""
    ruler, (rows, own) = items.ruler, items.ratings()
    width = len(ruler.criteria)
    at, size = own * width + ruler.criterion[rows], items.n * width
    n = np.bincount(at, minlength=size)
    total = np.bincount(at, ruler.x[rows], minlength=size)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan).reshape(items.n, width)


def calibration_table(items: Items, head: Predicted) -> pa.Table:
    """Predicted against observed points, in tenths of the held-out rows by prediction.

    A row is an item, or an item and a rater where severity is an input; then it is predicted at
    that rater's severity. Intervals count items.
    """
    lines = []
    for c, (name, counts) in enumerate(zip(items.ruler.criteria, head.rows.split(), strict=True)):
        counts = counts.astype(np.float64)  # sums of many float32 ratings would round
        n, total = counts.sum(axis=1), counts @ np.arange(counts.shape[1])
        kept = np.flatnonzero(n > 0)
        kept = kept[np.argsort(head.row_expected[kept, c], kind="stable")]
        for number, part in enumerate(np.array_split(kept, min(_BINS, len(kept)))):
            mean = total[part].sum() / n[part].sum()
            residual = np.bincount(head.rows.item[part], total[part] - n[part] * mean)
            m = len(np.unique(head.rows.item[part]))
            error = np.nan
            if m > 1:
                error = np.sqrt((residual**2).sum() * m / (m - 1)) / n[part].sum()
            predicted = (n[part] * head.row_expected[part, c]).sum() / n[part].sum()
            lines.append({"criterion": name, "bin": number, "predicted": predicted,
                          "observed": mean, "low": mean - Z95 * error, "high": mean + Z95 * error,
                          "most": counts.shape[1] - 1, "n": int(n[part].sum())})  # fmt: skip
    return _table(lines, "bin", "most", "n")


def severity_table(items: Items, head: Predicted) -> pa.Table:
    """How a lenient, a middling and a strict rater would be expected to score each item."""
    names = [items.ruler.names[i] for i in items.place]
    return pa.table(
        {
            "item": np.repeat(np.array(names, object), len(STRICT)),
            "severity": np.tile(STRICT, items.n),
            "predicted": head.at_severity.ravel(),
        }
    )


def layers_table(lines: list[dict]) -> pa.Table:
    """The lines of all sites."""
    return _table(lines, "index", "n")


def _table(lines: list[dict], *whole: str) -> pa.Table:
    table = pa.Table.from_pylist(lines)
    for name in whole:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.int32()))
    return table
