"""What each layer costs at each width: lines over the layers.

Reads the table `widths`(layer, bits, change, low, high).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import (
    block_axis,
    block_sites,
    log_where_wide,
    points_by_site,
    sample_of,
)
from backend.figures.columns import integers, numbers, table_of
from backend.figures.lines import add_line, below_title


def width_lines(result: Result) -> go.Figure:
    """What each layer alone costs at each width, the rest untouched; one line for each width."""
    table = table_of(result, "widths", "layer", "bits", "change")
    table = table.filter(pc.greater_equal(table["layer"], 0))
    if not table.num_rows:
        raise AnalysisError("The widths have no single layers.", "Run the analysis again.")
    widths = sorted(set(integers(table, "bits").tolist()), reverse=True)
    n_blocks = int(integers(table, "layer").max()) + 1
    sites = block_sites(n_blocks)
    fig = go.Figure()
    steps = np.linspace(0, len(palette.POINT_RAMP) - 2, len(widths)).round().astype(int)
    for bits, step in zip(widths, steps.tolist(), strict=True):
        part = table.filter(pc.equal(table["bits"], bits))
        columns = {"value": numbers(part, "change")}
        columns |= {end: numbers(part, end) for end in ("low", "high")}
        points = points_by_site(sites, integers(part, "layer"), **columns)
        look = {"name": f"{bits} bit", "colour": palette.POINT_RAMP[step]}
        add_line(fig, sites, points, n_blocks=n_blocks, **look)
    if not log_where_wide(fig, numbers(table, "change")):
        fig.add_hline(y=0, line={"color": palette.CONTROL, "width": 1}, layer="below")
    block_axis(fig, n_blocks)
    fig.update_yaxes(title_text="change of the loss, nats per token")
    fig.update_layout(hovermode="x", uirevision="widths")
    below_title(fig)
    said, sample = sample_of(result, "quantization", "text")
    return theme.finish(fig, "What each layer alone costs at fewer bits", said, sample=sample)
