"""Reading trajectories: parts, the last layer, and names."""

import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures.collapse_curves import (
    NAMES,
    at_epoch,
    check_measure,
    collapse_formula,
    curves_of,
    deepest,
    part_of,
    said_of,
    sample_of,
    trajectory_of,
)
from tests.figures.collapse_results import EPOCHS, collapse


def test_the_part_is_the_results_own_unless_one_is_asked_for():
    result = collapse()
    table, part = trajectory_of(result, None)
    assert part == "train" and set(table["part"].to_pylist()) == {"train"}
    assert trajectory_of(result, "held out")[1] == "held out"
    only = table.set_column(table.column_names.index("part"), "part",
                            pa.array(["all"] * table.num_rows))  # fmt: skip
    saved = collapse(trajectory=only)
    saved.scalars["part"] = "all"
    assert part_of(saved, only, None)[1] == "all"
    assert sample_of([saved], None)[0] == "n 1 347 rows"


def test_where_a_net_grows_its_last_layer_is_that_of_each_epoch():
    lines = [
        {"epoch": e, "index": i, "layer": n}
        for e, names in ((2, ("a", "b", "end")), (1, ("a", "end")))
        for i, n in enumerate(names)
    ]
    found = deepest(pa.Table.from_pylist(lines)).to_pylist()
    assert [(r["epoch"], r["index"]) for r in found] == [(1, 1), (2, 2)]


def test_a_run_is_a_curve_by_rising_epochs():
    (curve,) = curves_of([collapse()], None, None)
    assert curve.epochs.tolist() == list(EPOCHS) and curve.zero == 5 and curve.runs == 1
    assert curve.label == "run:<i>digits</i>"
    assert set(curve.value) == set(NAMES) - {"test_error"}
    assert "nc4" not in curve.low and curve.low["nc1"][0] == pytest.approx(0.8)


def test_every_measure_has_a_formula_and_errors_their_rows():
    assert all(collapse_formula(m) for m in NAMES)
    assert "argmax(W h + b) is not their class" in collapse_formula("train_error")
    assert said_of("train_error", "train") == "training error"
    assert said_of("train_error", "held out") == "held-out error"
    assert said_of("train_error", "all") == "error of the head"
    with pytest.raises(AnalysisError, match="no measure 'nc5'"):
        check_measure("nc5")


def test_an_epoch_that_was_not_kept_is_said():
    table, _ = trajectory_of(collapse(), None)
    assert set(at_epoch(table, 5)["epoch"].to_pylist()) == {5}
    with pytest.raises(AnalysisError, match="Epoch 7 was not kept.*0, 1, 2, 5, 10, 50"):
        at_epoch(table, 7)


def test_runs_of_different_rows_share_no_count():
    small = collapse()
    table = small.tables["trajectory"]
    column = pa.array([9] * table.num_rows)
    small.tables["trajectory"] = table.set_column(table.column_names.index("n"), "n", column)
    assert sample_of([collapse(), small], None) == ["2 runs", "float32"]
    assert sample_of([collapse(), collapse()], None)[:2] == ["2 runs", "n 1 347 rows (train)"]
