"""NC1 to NC4 over the epochs: axis, bands, zero error, several runs, and a run in progress."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import collapse_course, collapse_live, palette, read_provenance, to_html
from backend.figures.collapse_curves import collapse_formula
from tests.figures.collapse_results import EPOCHS, KEY, collapse, history, nc1

OTHER, THIRD = "1" * 32, "2" * 32


def lines(fig, axis: str, name: str) -> list:
    """The lines of a panel by their dash, without bands; plotly calls the first axis y."""
    return [t for t in fig.data if (t.yaxis or "y") == axis and t.name == name]


def drawn(fig, axis: str) -> dict:
    own = [t for t in fig.data if (t.yaxis or "y") == axis and not t.name.endswith("interval")]
    return {t.line.dash: t for t in own}


def test_the_last_layer_of_the_training_rows_is_drawn():
    fig = collapse_course(collapse())
    panels = [drawn(fig, axis) for axis in ("y", "y2", "y3", "y4")]
    assert [set(p) for p in panels] == [
        {"solid", "dash"}, {"solid", "dash", "dot"}, {"solid"}, {"solid", "dash"},
    ]  # fmt: skip
    expected = [nc1(step, 2) for step in range(len(EPOCHS))]
    assert panels[0]["solid"].y == pytest.approx(expected)
    assert panels[0]["dash"].y == pytest.approx([2 * v for v in expected])  # NC1~
    assert list(panels[3]["dash"].y[-3:]) == [0, 0, 0]  # training error
    assert fig.layout.yaxis.type == "log" and fig.layout.yaxis2.type is None
    held = collapse_course(collapse(), part="held out")
    assert drawn(held, "y")["solid"].y == pytest.approx([3 * v for v in expected])
    assert "NC4 (dashed: held-out error)" in [a.text for a in held.layout.annotations]
    assert "n 450 rows (held out)" in held.layout.title.subtitle.text


def test_epochs_stand_on_a_log_axis_with_epoch_0_at_its_left_edge():
    fig = collapse_course(collapse())
    axis = fig.layout.xaxis4
    assert list(drawn(fig, "y4")["solid"].x) == [0.5, 1, 2, 5, 10, 50]
    assert list(drawn(fig, "y4")["solid"].customdata) == list(EPOCHS)
    assert axis.type == "log" and "0 at the left edge" in axis.title.text
    assert axis.tickvals == (0.5, 1, 2, 5, 10, 20, 50)
    assert axis.ticktext == ("0", "1", "2", "5", "10", "20", "50")
    assert axis.range[0] < np.log10(0.5) and axis.range[1] > np.log10(50)


def test_bands_are_the_intervals_of_the_table_and_hover_says_them_with_the_formula():
    fig = collapse_course(collapse())
    band = next(t for t in fig.data if t.name.endswith("interval"))
    half = len(EPOCHS)
    assert band.y[:half] == pytest.approx([0.8 * nc1(s, 2) for s in range(half)])
    assert band.y[half:][::-1] == pytest.approx([1.25 * nc1(s, 2) for s in range(half)])
    line = drawn(fig, "y")["solid"]
    assert line.hovertext[0] == "1.00 (0.800 to 1.25)"
    assert f"NC1 = {collapse_formula('nc1')}" in line.hovertemplate
    assert "&lt;i&gt;digits" in line.hovertemplate


def test_zero_error_the_phase_after_it_and_the_current_epoch_are_marked_in_every_panel():
    fig = collapse_course(collapse(), current=0)
    by_kind = {}
    for shape in fig.layout.shapes:
        by_kind.setdefault((shape.type, shape.line.color, shape.x0), set()).add(shape.xref)
    every = {"x", "x2", "x3", "x4"}
    assert by_kind[("line", palette.CONTROL, 5)] == every
    assert by_kind[("line", palette.SELECTED, 0.5)] == every
    shaded = [s for s in fig.layout.shapes if s.type == "rect"]
    assert {s.x0 for s in shaded} == {5} and {s.x1 > 50 for s in shaded} == {True}
    assert "training error 0 from epoch 5" in fig.layout.title.subtitle.text
    never = collapse_course(collapse(zero=None))
    assert not never.layout.shapes and "error 0" not in never.layout.title.subtitle.text


def test_runs_with_one_label_are_one_line_in_a_band_from_the_least_to_the_largest():
    runs = [collapse(), collapse(key=OTHER, times=2), collapse(key=THIRD, times=4, zero=10)]
    labels = {KEY: "with", OTHER: "with", THIRD: "without"}
    fig = collapse_course(runs, labels=labels)
    own = [t for t in lines(fig, "y", "with") if t.line.dash == "solid"]
    assert len(own) == 1
    assert own[0].y == pytest.approx([1.5 * nc1(s, 2) for s in range(len(EPOCHS))])
    assert "least to largest of 2 seeds" in own[0].hovertemplate
    band = lines(fig, "y", "with: interval")[0]
    assert (band.y[0], band.y[-1]) == pytest.approx((1, 2))
    colours = {t.name: t.line.color for t in fig.data if t.name in ("with", "without")}
    assert len(set(colours.values())) == 2 and palette.BASELINE not in colours.values()
    assert [t.name for t in fig.data if t.showlegend] == ["with", "without"]
    assert fig.layout.showlegend
    zeros = {(s.line.color, s.x0) for s in fig.layout.shapes if s.type == "line"}
    assert zeros == {(colours["with"], 5), (colours["without"], 10)}
    assert {s.x0 for s in fig.layout.shapes if s.type == "rect"} == {10}  # where all are there
    said = fig.layout.title.subtitle.text
    assert "3 runs" in said and "up to 2 seeds" in said and "seed 7" not in said
    assert [r["key"] for r in fig.layout.meta["results"]] == [KEY, OTHER, THIRD]


def test_seeds_are_put_together_at_the_epochs_that_all_have():
    runs = [collapse(epochs=(0, 1, 10)), collapse(key=OTHER, epochs=(0, 10, 50))]
    fig = collapse_course(runs, labels={KEY: "a", OTHER: "a"})
    assert list(drawn(fig, "y")["solid"].customdata) == [0, 10]
    with pytest.raises(AnalysisError, match="'a' have no epoch in common"):
        collapse_course([collapse(epochs=(1, 2)), collapse(key=OTHER, epochs=(3, 4))],
                        labels={KEY: "a", OTHER: "a"})  # fmt: skip


def test_a_panel_without_numbers_says_so():
    import pyarrow as pa

    table = collapse().tables["trajectory"]
    for name in ("nc2", "nc2_equinorm", "nc2_equiangular"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.nulls(table.num_rows, pa.float64()))
    fig = collapse_course(collapse(trajectory=table))
    empty = [a for a in fig.layout.annotations if a.text == "no numbers here"]
    assert [a.xref for a in empty] == ["x2 domain"]


def test_the_small_print_and_the_file_say_where_it_comes_from():
    result = collapse()
    fig = collapse_course(result)
    small = fig.layout.title.subtitle.text
    assert "n 1 347 rows (train) · 4 classes · penultimate, 64 wide · float32 · seed 7" in small
    assert "digits &amp; &lt;b&gt;more" in small
    assert read_provenance(to_html(fig).encode(), "a.html") == result.provenance


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(AnalysisError, match="no rows 'test'.*train, held out"):
        collapse_course(collapse(), part="test")
    with pytest.raises(AnalysisError, match="no run"):
        collapse_course([])


def live(done: int):
    said = {"models": ["run:x"], "seed": 3}
    return collapse_live(history(done), title="On <digits>", epochs=100, provenance=said)


def test_a_run_in_progress_has_the_same_panels_on_an_axis_that_does_not_move():
    fig, later = live(6), live(12)
    assert fig.layout.xaxis4.range == later.layout.xaxis4.range
    assert fig.layout.xaxis4.range[1] > 2
    line = drawn(fig, "y")["solid"]
    assert line.connectgaps
    assert np.isfinite(line.y).tolist() == [True, False] * 3 + [True]  # measured every second
    errors = drawn(fig, "y4")
    assert errors["dash"].y == pytest.approx([0.5, 0.375, 0.25, 0.125, 0, 0, 0])
    assert errors["dot"].y == pytest.approx([0.5] * 7)  # held out
    assert not any(t.name.endswith("interval") for t in fig.data)
    assert {s.x0 for s in fig.layout.shapes} == {4}
    assert "epoch 6 of 100 · seed 3" in fig.layout.title.subtitle.text
    assert fig.layout.title.text == "On &lt;digits&gt;"
    assert fig.layout.uirevision == later.layout.uirevision


def test_before_the_first_epoch_the_panels_are_there():
    fig = collapse_live([], title="Soon", epochs=10, provenance={})
    assert sum(a.text == "no numbers here" for a in fig.layout.annotations) == 4
    assert "epoch 0 of 10" in fig.layout.title.subtitle.text
