"""What severity, consistency and tastes each save on held-out ratings.

Reads the table `steps`(model, severity, consistency, k, log_loss, saved, low, high, n).
"""

import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.columns import numbers, table_of, texts
from backend.figures.lines import error_bars


def harshness_steps(result: Result) -> go.Figure:
    """Millinats saved per held-out rating over items alone, with 95 % intervals over raters."""
    table = table_of(result, "steps", "model", "k", "saved", "low", "high", "log_loss")
    names, ks = texts(table, "model"), table["k"].to_pylist()
    value, low, high = (1000 * numbers(table, c) for c in ("saved", "low", "high"))  # type: ignore[operator]
    fig = go.Figure()
    for tastes, name, colour in (
        (False, "one view of the items", palette.BASELINE),
        (True, f"{max(ks)} tastes", palette.CATEGORIES[3]),
    ):
        at = [i for i, k in enumerate(ks) if (k > 1) == tastes]
        fig.add_scatter(
            x=value[at],
            y=[names[i] for i in at],
            mode="markers",
            name=name,
            marker={"size": 10, "color": colour},
            error_x=error_bars(value[at], low[at], high[at]),
            customdata=[theme.interval(float(value[i]), float(low[i]), float(high[i])) for i in at],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )
    fig.add_vline(x=0, line={"color": palette.CONTROL, "dash": "dash", "width": 1})
    fig.update_xaxes(title_text="millinats saved per held-out rating, over items alone")
    fig.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    fig.update_layout(uirevision="harshness steps", height=380)
    s = result.scalars
    sample = [
        f"n {theme.count(s['held'])} held-out ratings", f"{theme.count(s['raters'])} raters",
        f"{theme.count(s['items'])} items",
        *theme.describe_sample({"seed": result.provenance.get("seed")}),
    ]  # fmt: skip
    title = "Harshness or taste?"
    return theme.finish(fig, title, result.provenance, sample=sample)
