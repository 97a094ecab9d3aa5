"""Tables of the preferences analysis: accuracy, people, few answers, options, prototypes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.preferences.accuracy import Accuracy, calibration, hits
from backend.preferences.choices import Choices
from backend.preferences.locating import Located, locate, prior_of, weight_intervals
from backend.preferences.splits import Split, place_within
from backend.preferences.tastes import Tastes, softmax

if TYPE_CHECKING:
    from backend.preferences.study import Score

_KNOWN_MOST = 64  # coordinates of options that are kept


def accuracy_table(scores: Sequence["Score"]) -> pa.Table:
    """One row per K, seed and split: train, test, new (people), option (never seen)."""
    return _scores_table([s for s in scores if s.name == "PAL"], "k", lambda s: s.k, pa.int32())


def baselines_table(scores: Sequence["Score"]) -> pa.Table:
    """The same of what one taste for all gets right."""
    mine = [s for s in scores if s.name != "PAL"]
    return _scores_table(mine, "name", lambda s: s.name, pa.string())


def _scores_table(scores: Sequence["Score"], first: str, of, kind: pa.DataType) -> pa.Table:  # type: ignore[no-untyped-def]
    return pa.table({
        first: pa.array([of(s) for s in scores], kind),
        "seed": pa.array([s.seed for s in scores], pa.int64()),
        "split": pa.array([s.split for s in scores], pa.string()),
        "accuracy": pa.array([s.accuracy.micro for s in scores], pa.float64()),
        "low": pa.array([s.accuracy.low for s in scores], pa.float64()),
        "high": pa.array([s.accuracy.high for s in scores], pa.float64()),
        "accuracy_per_person": pa.array([s.accuracy.macro for s in scores], pa.float64()),
        "log_loss": pa.array([s.loss for s in scores], pa.float64()),
        "n": pa.array([s.accuracy.n for s in scores], pa.int64()),
    })  # fmt: skip


@dataclass(frozen=True)
class Everyone:
    """Weights of all people with their 95 % intervals, each (N, K)."""

    weights: np.ndarray
    low: np.ndarray
    high: np.ndarray


def place_everyone(tastes: Tastes, choices: Choices, part: Split) -> Everyone:
    """Weights of everyone: the fitted ones of known people, found ones of new people.

    An interval is the posterior's under the prior of the known people; where that draws it away
    from a fitted weight, it is widened to hold it.
    """
    rows = np.concatenate([part.train, _placing(choices, part)])
    known = np.unique(choices.u[part.train])
    prior = prior_of(tastes.logits[known] if len(known) else tastes.logits)
    start = np.tile(prior.mean, (len(choices.persons), 1))
    start[known] = tastes.logits[known] - tastes.logits[known].mean(axis=1, keepdims=True)
    q = None if choices.q is None else choices.q[rows]
    args = (tastes, choices.u[rows], choices.left[rows], choices.right[rows], choices.y[rows])
    found = locate(*args, people=len(choices.persons), prior=prior, q=q)
    at_fit = locate(*args, people=len(choices.persons), prior=prior, q=q, start=start, steps=0)
    is_known = np.zeros(len(choices.persons), bool)
    is_known[known] = True
    everyone = Located(
        np.where(is_known[:, None], start, found.logits),
        np.where(is_known[:, None, None], at_fit.covariance, found.covariance),
    )
    low, high = weight_intervals(*args[:1], everyone, *args[1:], prior=prior, q=q)
    W = everyone.weights
    return Everyone(W, np.minimum(low, W), np.maximum(high, W))


def _placing(choices: Choices, part: Split) -> np.ndarray:
    """New people's first answers (at most half of them) in the order of the file."""
    u = choices.u[part.new]
    return part.new[place_within(u) < np.minimum(20, np.bincount(u) // 2)[u]]


def persons_table(
    tastes: Tastes, plain: Tastes, placed: Everyone, choices: Choices, part: Split
) -> pa.Table:
    """Everyone: n, weights with intervals, entropy, accuracy on what was held out, gain over K=1.

    `new` tells people who were placed by up to 20 of their answers. Entropy is in bits: 0 for one
    taste alone, log2 K for an even mixture. Accuracy is null for people without held-out choices.
    """
    W, low, high = placed.weights, placed.low, placed.high
    is_new = np.zeros(len(choices.persons), bool)
    is_new[choices.u[part.new]] = True
    rows = np.concatenate([part.test, np.setdiff1d(part.new, _placing(choices, part))])
    u, y, q = choices.u[rows], choices.y[rows], None if choices.q is None else choices.q[rows]
    sides = choices.left[rows], choices.right[rows]
    ones = np.ones((len(rows), 1))
    right = hits(tastes.margins(W[u], *sides, q), y)
    alone = hits(plain.margins(ones, *sides, q), y)
    tested = np.bincount(u, minlength=len(W))
    shares = [_share(h, u, tested) for h in (right, alone)]
    entropy = -np.sum(W * np.log2(np.maximum(W, 1e-12)), axis=1)
    columns: dict = {
        "person": pa.array(choices.persons.tolist(), pa.string()),
        "n": pa.array(np.bincount(choices.u, minlength=len(W))),
        "new": pa.array(is_new),
        "taste": pa.array(W.argmax(axis=1).astype(np.int32)),
        **{f"weight_{k}": W[:, k] for k in range(W.shape[1])},
        **{f"weight_{k}_low": low[:, k] for k in range(W.shape[1])},
        **{f"weight_{k}_high": high[:, k] for k in range(W.shape[1])},
        "entropy": entropy,
        "tested": pa.array(tested),
        "accuracy": shares[0],
        "accuracy_universal": shares[1],
        "gain": [None if a is None or b is None else a - b for a, b in zip(*shares, strict=True)],
    }
    x, y_ = _on_map(tastes, _points(tastes, W))
    columns |= {"x": x, "y": y_}
    for name, values in choices.covariates.items():
        columns[name if name not in columns else f"{name}_"] = pa.array(values.tolist())
    return pa.table(columns)


def _share(hit: np.ndarray, u: np.ndarray, tested: np.ndarray) -> list[float | None]:
    right = np.bincount(u, hit, minlength=len(tested))
    return [float(r / n) if n else None for r, n in zip(right, tested, strict=True)]


def fewshot_table(
    few: Sequence[tuple[int, Accuracy]], plain: Sequence[tuple[int, Accuracy]]
) -> pa.Table:
    """Accuracy on new people's other answers after so many pairs, beside that of one taste."""
    return pa.table({
        "pairs": pa.array([n for n, _ in few], pa.int64()),
        "accuracy": pa.array([a.micro for _, a in few], pa.float64()),
        "low": pa.array([a.low for _, a in few], pa.float64()),
        "high": pa.array([a.high for _, a in few], pa.float64()),
        "accuracy_universal": pa.array([a.micro for _, a in plain], pa.float64()),
        "n": pa.array([a.n for _, a in few], pa.int64()),
    })  # fmt: skip


def options_table(tastes: Tastes, choices: Choices, placed: Everyone) -> pa.Table:
    """Every option: how often shown and taken, its place, and its reward under each prototype.

    `reward_k` are logits around their mean; `dispute` is the standard deviation of the rewards
    over people, 0 for an option that all like alike.
    """
    items = len(choices.items)
    shown = np.bincount(np.concatenate([choices.left, choices.right]), minlength=items)
    taken = np.bincount(np.where(choices.y > 0, choices.right, choices.left), minlength=items)
    x, y = _on_map(tastes, tastes.mapped)
    columns: dict = {
        "option": pa.array(choices.items.tolist(), pa.string()),
        "shown": pa.array(shown),
        "taken": taken / np.maximum(shown, 1),
        "x": x,
        "y": y,
    }
    if choices.prompts is not None and choices.item_prompt is not None:
        columns["prompt"] = pa.array(choices.prompts[choices.item_prompt].tolist(), pa.string())
    if tastes.form.ideal != "B":
        R = tastes.rewards - tastes.rewards.mean(axis=0)
        W = placed.weights
        centred = W - W.mean(axis=0)
        spread = centred.T @ centred / len(W)
        columns["dispute"] = np.sqrt(np.maximum(np.einsum("mk,kl,ml->m", R, spread, R), 0))
        columns |= {f"reward_{k}": R[:, k] for k in range(R.shape[1])}
    return pa.table(columns)


def prototypes_table(tastes: Tastes, choices: Choices, placed: Everyone) -> pa.Table:
    """Each taste: mean weight, people who have it most, its place, what it likes most and least."""
    W = placed.weights
    K = W.shape[1]
    x, y = _on_map(tastes, _points(tastes, np.eye(K)))
    columns: dict = {
        "prototype": pa.array(np.arange(K), pa.int32()),
        "share": W.mean(axis=0),
        "persons": pa.array(np.bincount(W.argmax(axis=1), minlength=K)),
        "x": x,
        "y": y,
    }
    if tastes.form.ideal != "B":
        columns["likes"] = [str(choices.items[i]) for i in tastes.rewards.argmax(axis=0)]
        columns["dislikes"] = [str(choices.items[i]) for i in tastes.rewards.argmin(axis=0)]
    return pa.table(columns)


def calibration_table(tastes: Tastes, plain: Tastes, choices: Choices, part: Split) -> pa.Table:
    """Predicted and observed shares on held-out pairs, for the chosen K and for one taste."""
    rows, out = part.test, []
    q = None if choices.q is None else choices.q[rows]
    for model in {tastes.form.k: tastes, 1: plain}.values():
        W = softmax(model.logits)[choices.u[rows]]
        margins = model.margins(W, choices.left[rows], choices.right[rows], q)
        out += [{"k": model.form.k, **row} for row in calibration(margins, choices.y[rows])]
    return pa.Table.from_pylist(out, schema=pa.schema([
        ("k", pa.int32()), ("low", pa.float64()), ("high", pa.float64()),
        ("predicted", pa.float64()), ("observed", pa.float64()), ("n", pa.int64()),
    ]))  # fmt: skip


def vectors_table(tastes: Tastes, choices: Choices) -> pa.Table:
    """Mapped options and prototypes, to be taken away: people's points are weights times these.

    `name` is the option, or `prototype k`; empty where there are too many coordinates.
    """
    if tastes.form.ideal == "B" or tastes.mapped.shape[1] > _KNOWN_MOST:
        return pa.table({"kind": pa.array([], pa.string()), "name": pa.array([], pa.string())})
    points = _points(tastes, np.eye(tastes.form.k))
    rows = np.vstack([tastes.mapped, points])
    names = [*map(str, choices.items), *(f"prototype {k}" for k in range(len(points)))]
    kinds = ["option"] * len(tastes.mapped) + ["prototype"] * len(points)
    axes = {f"v{i}": rows[:, i] for i in range(rows.shape[1])}
    return pa.table({"kind": kinds, "name": pa.array(names, pa.string()), **axes})


def asked_table(tastes: Tastes, choices: Choices) -> pa.Table:
    """Of PAL-B: for every prompt, how alike the prototypes' wishes are (cosine of g_j and g_k)."""
    assert tastes.asked is not None and choices.prompts is not None
    G = tastes.asked / np.maximum(np.linalg.norm(tastes.asked, axis=2, keepdims=True), 1e-12)
    cosines = np.einsum("qkd,qld->qkl", G, G)
    j, k = np.triu_indices(tastes.form.k, 1)
    Q = len(choices.prompts)
    return pa.table({
        "prompt": pa.array(np.repeat(choices.prompts, len(j)).tolist(), pa.string()),
        "prototype_a": pa.array(np.tile(j, Q), pa.int32()),
        "prototype_b": pa.array(np.tile(k, Q), pa.int32()),
        "cosine": cosines[:, j, k].ravel(),
    })  # fmt: skip


def _points(tastes: Tastes, W: np.ndarray) -> np.ndarray:
    """People's points on the map: their ideal points, or their mean wish over prompts (PAL-B)."""
    if tastes.form.ideal != "B":
        return tastes.points(W)
    assert tastes.asked is not None
    return W @ tastes.asked.mean(axis=0)


def _on_map(tastes: Tastes, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two coordinates of rows (m, d): the plane in which tastes differ, filled up by options.

    The first axes span the prototypes; where there are fewer than three, the widest direction of
    the options beside them comes second. Distances within the plane are true.
    """
    corners = _points(tastes, np.eye(tastes.form.k))
    centre = corners.mean(axis=0)
    _, sizes, axes = np.linalg.svd(corners - centre, full_matrices=False)
    axes = axes[sizes > 1e-9 * max(sizes.max(initial=0), 1e-300)][:2]
    F = tastes.mapped - tastes.mapped.mean(axis=0)
    rest = F - (F @ axes.T) @ axes
    _, _, more = np.linalg.svd(rest[:: max(1, len(rest) // 5000)], full_matrices=False)
    basis = np.vstack([axes, more])[:2]
    if len(basis) < 2:
        basis = np.vstack([basis, np.zeros((2 - len(basis), rows.shape[1]))])
    basis *= np.where(basis[:, [0]] < 0, -1, 1)  # one sign, whatever the solver gave
    placed = (rows - centre) @ basis.T
    return placed[:, 0], placed[:, 1]
