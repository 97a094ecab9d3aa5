"""By which branch features flow: the skip against the main branch, block by block.

Reads the tables `flow`(feature, block, branch, cka, v_information) and `features`.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import one_of, points_by_site
from backend.figures.columns import blocks_of, integers, numbers, table_of, texts
from backend.figures.feature_rows import features_of, sample_of_features
from backend.figures.lines import add_line, layer_axis
from backend.figures.sites import site_ticks

BRANCHES = {  # name in the legend, colour
    "skip": ("skip branch", palette.CATEGORIES[0]),
    "main": ("main branch", palette.CATEGORIES[4]),
    "out": ("block's output", palette.CONTROL),
}
_MEASURES = {
    "v_information": ("share of variance read (V-information)", ""),
    "cka": ("CKA with the feature", "CKA falls with width: compare shapes, not levels"),
}


def feature_flow(
    result: Result, *, measure: str = "v_information", share: float = 0.25
) -> go.Figure:
    """How much of the simplest and of the most complex features each branch holds, by block.

    Lines are medians over the features of a panel, bands their middle half.

    Parameters
    ----------
    measure : `v_information` or `cka`.
    share : of the features with a known flow, at each end of complexity; above 0, at most 0.5.
    """
    axis, note = _MEASURES[one_of(measure, _MEASURES, "measure of flow")]
    if not 0 < share <= 0.5:
        raise AnalysisError(f"A share of {share:g} of the features.", "Use above 0, at most 0.5.")
    table = table_of(result, "flow", "feature", "block", "branch", measure)
    if not table.num_rows:
        raise AnalysisError("The model has no blocks with a skip and a main branch.",
                            "Use a residual net, such as demo:efficientnet-lite0.")  # fmt: skip
    simple, complex_ = _ends(result, table, share)
    blocks = sorted(set(integers(table, "block").tolist()))
    sites = [f"block.{b}" for b in blocks]
    n_blocks = blocks_of(result.provenance, sites)
    said = f"{100 * share:.0f} %, {theme.count(len(simple))} features"
    fig = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04,
        subplot_titles=(f"simplest {said}", f"most complex {said}"),
    )  # fmt: skip
    for column, features in enumerate((simple, complex_), start=1):
        mine = table.filter(pa.array(np.isin(integers(table, "feature"), features)))
        for branch, (name, colour) in BRANCHES.items():
            points = _middle(mine, branch, measure, blocks, sites)
            if points:
                add_line(fig, sites, points, name=name, colour=colour, cell=(1, column),
                         legend=column == 1, n_blocks=n_blocks)  # fmt: skip
    if not fig.data:
        raise AnalysisError(f"The flow has no known branch or no {measure}.",
                            f"Known branches: {', '.join(BRANCHES)}.")  # fmt: skip
    layer_axis(fig, *site_ticks(sites, most=6, n_blocks=n_blocks))
    fig.update_yaxes(title_text=axis, row=1, col=1)
    fig.update_annotations(font={"size": 12})
    fig.update_layout(
        uirevision=f"feature flow {measure}",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.08, "yanchor": "bottom"},
        margin={"t": 138, "l": 64, "r": 24, "b": 82},
    )
    sample = sample_of_features(result, len(set(integers(table, "feature").tolist())))
    title = "Through which branch simple and complex features flow"
    return theme.finish(fig, title, result.provenance, sample=sample, note=note)


def _ends(result: Result, flow: pa.Table, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the simplest and of the most complex features that have a flow."""
    features = features_of(result)
    K, ids = numbers(features, "complexity"), integers(features, "feature")
    assert K is not None
    there = np.isin(ids, integers(flow, "feature")) & np.isfinite(K)
    ids = ids[there][np.argsort(K[there], kind="stable")]
    if len(ids) < 2:
        raise AnalysisError(f"The flow of {len(ids)} features is known.", "It takes two at least.")
    n = min(max(1, round(share * len(ids))), len(ids) // 2)
    return ids[:n], ids[-n:]


def _middle(
    mine: pa.Table, branch: str, measure: str, blocks: list[int], sites: list[str]
) -> dict[str, dict[str, float]]:
    """Median and quartiles over features at each block that has the branch."""
    values, at = numbers(mine, measure), integers(mine, "block")
    assert values is not None
    own = (np.array(texts(mine, "branch"), dtype=object) == branch) & np.isfinite(values)
    held = [i for i, block in enumerate(blocks) if (own & (at == block)).any()]
    if not held:
        return {}
    found = [np.quantile(values[own & (at == blocks[i])], (0.5, 0.25, 0.75)) for i in held]
    middle, low, high = np.array(found).T
    return points_by_site(sites, np.array(held), value=middle, low=low, high=high)
