"""How complex features are while the model learns: all of them, and those it leans on most.

Reads the table `training`(epoch, feature, complexity, importance): a line for each feature of
each checkpoint, whose features may be its own.
"""

import math

import numpy as np
import plotly.graph_objects as go

from backend.analyses.intervals import Z95, mean_error
from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import integers, table_of
from backend.figures.feature_rows import column_of, sample_of_features
from backend.figures.lines import add_band, below_title


def feature_training(
    result: Result, *, share: float = 0.1, current: int | None = None
) -> go.Figure:
    """Mean complexity over the epochs: all features, and the share that matters most by then.

    Bands are 95 % intervals of the mean over features (none for a single feature). Epochs stand
    at equal steps, since checkpoints are log-spaced.

    Parameters
    ----------
    share : of each epoch's features by importance, at least one feature; above 0, at most 1.
    current : the epoch that the page shows.
    """
    if not 0 < share <= 1:
        raise AnalysisError(f"A share of {share:g} of the features.", "Use above 0, at most 1.")
    table = table_of(result, "training", "epoch", "feature", "complexity", "importance")
    if not table.num_rows:
        raise AnalysisError("No checkpoint was read.", "Train a model with checkpoints first.")
    epoch = integers(table, "epoch")
    K, weight = (column_of(table, name, of="training") for name in ("complexity", "importance"))
    epochs = np.unique(epoch)
    groups = _groups(epoch, K, weight, share)
    fig, counted_in = go.Figure(), str(result.scalars.get("counted_in", "epoch"))
    for (name, values), colour in zip(
        groups.items(), (palette.BASELINE, palette.CATEGORIES[4]), strict=True
    ):
        _add_mean(fig, epochs, values, name, colour, counted_in)
    if current in epochs:
        at = int(np.flatnonzero(epochs == current)[0])
        fig.add_vline(x=at, line={"color": palette.SELECTED, "width": 1.5})
    fig.update_xaxes(
        tickvals=list(range(len(epochs))), ticktext=[str(e) for e in epochs.tolist()],
        title_text=f"{counted_in} (equal steps)",
    )  # fmt: skip
    fig.update_yaxes(title_text="mean complexity")
    fig.update_layout(uirevision="feature training")
    below_title(fig)
    counts = {len(values) for values in next(iter(groups.values()))}
    most = f"{theme.count(min(counts))} to {theme.count(max(counts))}"
    first = [f"{theme.count(len(epochs))} checkpoints",
             f"{theme.count(max(counts)) if len(counts) == 1 else most} features each"]  # fmt: skip
    sample = sample_of_features(result, first=first, features=False)
    title = "How complex features are while the model learns"
    return theme.finish(fig, title, result.provenance, sample=sample)


def _groups(
    epoch: np.ndarray, K: np.ndarray, weight: np.ndarray, share: float
) -> dict[str, list[np.ndarray]]:
    """Complexities at each epoch: of all features, and of the share with the largest weight."""
    everything, most = [], []
    for one in np.unique(epoch):
        mine = (epoch == one) & np.isfinite(K)
        known = mine & np.isfinite(weight)
        top = math.ceil(share * known.sum() - 1e-9)
        everything.append(K[mine].astype(float))
        most.append(K[known][np.argsort(-weight[known], kind="stable")[:top]].astype(float))
    return {"all features": everything, f"top {100 * share:.3g} % by importance": most}


def _add_mean(
    fig: go.Figure, epochs: np.ndarray, values: list[np.ndarray], name: str, colour: str,
    counted_in: str,
) -> None:  # fmt: skip
    mean = np.array([v.mean() if len(v) else np.nan for v in values])
    half = Z95 * np.array([mean_error(v) if len(v) else np.nan for v in values], dtype=float)
    low, high = mean - half, mean + half
    x = np.arange(len(epochs))
    add_band(fig, x, low, high, name=name, colour=colour)
    said = [
        f"{counted_in} {e}: {theme.interval(float(mean[i]), float(low[i]), float(high[i]))}"
        f"<br>n {theme.count(len(values[i]))} features"
        for i, e in enumerate(epochs.tolist())
    ]
    fig.add_scatter(
        x=x,
        y=mean,
        mode="lines+markers",
        name=name,
        legendgroup=name,
        line={"color": colour, "width": 2},
        marker={"size": 7, "color": colour},
        customdata=epochs,
        hovertext=said,
        hovertemplate=f"%{{hovertext}}<extra>{name}</extra>",
    )
