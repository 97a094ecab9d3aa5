"""beta of each step, and the steps without one."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import collapse_steps, palette
from tests.figures.collapse_results import collapse, steps

LAYERS = ("block.0", "block.1", "block.2", "penultimate")


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


@pytest.fixture
def fig():
    return collapse_steps(collapse(layers=LAYERS), current="block.2")


def test_beta_stands_on_a_log_axis_with_its_interval(fig):
    large = named(fig)["beta as large as the theory asks"]
    small = named(fig)["beta smaller than the theory asks"]
    assert (small.x[0], small.y[0]) == (0, 10) and (large.x[0], large.y[0]) == (1, 100)
    assert large.error_y.array[0] == 100 and large.error_y.arrayminus[0] == 50
    assert small.marker.symbol == "circle-open" and large.marker.symbol == "circle"
    assert fig.layout.yaxis.type == "log"
    assert fig.layout.yaxis.range[0] < np.log10(5) and fig.layout.yaxis.range[1] > np.log10(200)
    assert fig.layout.xaxis.ticktext == ("0<br>to 1", "1<br>to 2", "2<br>to penult")
    assert "beta 10.0 (5.00 to 20.0)" in small.hovertext[0]
    assert "NC1~ 1.00 to 0.500" in small.hovertext[0]


def test_a_step_out_of_reach_stands_at_the_top_and_says_why(fig):
    out = named(fig)["no beta: out of reach"]
    assert out.x[0] == 2 and np.log10(out.y[0]) == pytest.approx(fig.layout.yaxis.range[1])
    assert "no beta: NC1~ does not &lt;i&gt;fall&lt;/i&gt;." in out.hovertext[0]
    assert out.marker.color == palette.CONTROL


def test_the_small_print_says_that_the_estimate_is_ours(fig):
    assert "beta is our estimate, not the paper's" in fig.layout.title.subtitle.text
    assert [s.x0 for s in fig.layout.shapes] == [1]  # the step into the current layer


def test_steps_without_any_beta_are_still_shown():
    table = steps(LAYERS).to_pylist()
    none = [{**r, "beta": None, "low": None, "high": None, "large": None} for r in table]
    fig = collapse_steps(collapse(steps=pa.Table.from_pylist(none, schema=steps(LAYERS).schema)))
    assert [t.name for t in fig.data] == ["no beta: out of reach"] and len(fig.data[0].x) == 3
    assert "the reason is not known" in fig.data[0].hovertext[0]


def test_no_step_is_said():
    with pytest.raises(AnalysisError, match="no step between layers"):
        collapse_steps(collapse(steps=steps(LAYERS).slice(0, 0)))
