import numpy as np
import pytest

from backend.analyses.inputs import depth_order, notes, paired, sample, trunk
from backend.errors import AnalysisError

RNG = np.random.default_rng(0)


def test_sites_are_ordered_by_depth_and_the_main_path_is_found():
    sites = ("final", "resid_post.10", "mlp_out.2", "resid_post.2", "attn_out.2", "embed", "head")
    ordered = ("embed", "attn_out.2", "mlp_out.2", "resid_post.2", "resid_post.10", "final", "head")
    assert depth_order(sites) == ordered
    assert trunk(sites) == ("embed", "resid_post.2", "resid_post.10", "final")
    assert trunk(("attn_out.1", "attn_out.0")) == ("attn_out.0", "attn_out.1")
    assert depth_order(("penultimate", "block.1", "main.1", "strange")) == (
        "main.1", "block.1", "strange", "penultimate",
    )  # fmt: skip


def test_a_sample_is_the_first_stored_rows(view_of):
    X = RNG.standard_normal((10, 3))
    rows = RNG.permutation(10)
    one = sample(view_of({"embed": X}, rows=rows), rows=4, seed=0)
    assert np.array_equal(one.rows, rows[:4])
    assert np.allclose(one.vectors("embed"), X[:4], atol=1e-6)
    assert one.groups is None
    assert one.table()["text"].to_pylist() == [f"text {r}" for r in rows[:4]]


def test_vectors_of_a_row_form_a_group_and_are_sampled_evenly(view_of):
    rows = np.repeat(np.arange(20), 5)
    X = np.arange(100.0)[:, None]
    one = sample(view_of({"embed": X}, rows=rows), rows=15, seed=0)
    assert len(one.rows) == 15
    assert set(one.rows) <= set(range(15))
    assert np.array_equal(one.vectors("embed")[:, 0] // 5, one.rows)
    assert len(np.unique(one.groups)) == len(np.unique(one.rows))


def test_two_captures_are_paired_by_row(view_of):
    X = RNG.standard_normal((12, 2))
    a = view_of({"embed": X}, name="a")
    order = RNG.permutation(12)
    b = view_of({"embed": X[order]}, name="b", rows=order, dataset=a.dataset)
    first, second = paired(a, b, rows=6, seed=0)
    assert np.array_equal(first.rows, second.rows)
    assert len(first.rows) == 6
    assert np.allclose(first.vectors("embed"), second.vectors("embed"))


def test_captures_that_cannot_be_paired_are_refused(view_of):
    X = RNG.standard_normal((6, 2))
    a = view_of({"embed": X}, name="a")
    other = view_of({"embed": X}, name="b", columns={"tag": list("uvwxyz")})
    with pytest.raises(AnalysisError, match="on different data"):
        paired(a, other, rows=6, seed=0)
    pieces = np.repeat(np.arange(6), 2)
    b = view_of({"embed": X[pieces]}, name="c", rows=pieces, dataset=a.dataset)
    with pytest.raises(AnalysisError, match="cannot be paired"):
        paired(a, b, rows=6, seed=0)


def test_values_that_are_not_finite_are_refused_with_the_site(view_of):
    X = np.ones((4, 2))
    X[2, 1] = np.nan
    with pytest.raises(AnalysisError, match="1 values at 'embed'"):
        sample(view_of({"embed": X}), rows=4, seed=0).vectors("embed")


def test_notes_are_said_once():
    assert notes(["a.", "b.", "a."]) == "a. b."
