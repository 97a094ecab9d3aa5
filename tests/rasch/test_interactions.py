"""Bias terms of pairs of facets."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import DataError
from backend.rasch.interactions import find_interactions, parse_pair
from backend.rasch.jmle import fit_jmle
from backend.rasch.partial_credit import probabilities
from backend.rasch.reading import read_ratings
from backend.rasch.simulate import simulate


def test_pairs_are_read():
    assert parse_pair("rater x criterion") == ("rater", "criterion")
    assert parse_pair("group × item group") == ("group", "item group")
    for wrong in ("rater", "rater x rater", "a x b x c", " x b"):
        with pytest.raises(DataError, match="does not name two facets"):
            parse_pair(wrong)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rater_who_is_harsh_on_one_criterion_is_found(seed: int):
    d = np.linspace(-1, 1, 5)
    s = simulate(250, 8, 4, seed=seed, difficulty=d, most=np.full(5, 2))
    rng = np.random.default_rng(seed + 100)
    own = (s.rater == 3) & (s.criterion == 2)
    eta = s.theta[s.item[own]] - s.severity[3] - 1.5  # 1.5 logits harsher
    P = probabilities(eta, d[2] + s.thresholds[2]).cumsum(axis=0)[:-1]
    x = s.x.copy()
    x[own] = (rng.random(own.sum()) > P).sum(axis=0)
    fit = fit_jmle(read_ratings(s.table().set_column(3, "rating", pa.array(x))))
    found = find_interactions(fit, "rater", "criterion")
    at = np.abs(found.t).argmax()
    assert fit.ratings.labels["rater"][found.a[at]] == "r3"
    assert fit.ratings.labels["criterion"][found.b[at]] == "c2"
    assert found.bias[at] == pytest.approx(1.3, abs=0.5)
    assert found.observed[at] < found.expected[at]
    assert found.marked[at]
    assert found.all_zero()[2] < 1e-4


def test_without_interactions_few_cells_are_marked():
    fit = fit_jmle(read_ratings(simulate(300, 10, 4, seed=5).table()))
    found = find_interactions(fit, "rater", "criterion")
    assert len(found.t) == 100
    assert found.marked.mean() < 0.12
    assert found.n.sum() == fit.used.sum()


def test_the_bias_solves_its_score_equation():
    fit = fit_jmle(read_ratings(simulate(100, 5, 3, seed=6).table()))
    found = find_interactions(fit, "rater", "criterion")
    part = fit.ratings.keep(fit.used)
    eta = fit.eta()[fit.used]
    from backend.rasch.partial_credit import moments

    for cell in range(0, len(found.t), 7):
        a, b = found.a[cell], found.b[cell]
        rows = (part.codes["rater"] == a) & (part.codes["criterion"] == b)
        E = moments(eta[rows] - found.bias[cell], fit.steps[b])[0].sum()
        n, most = rows.sum(), part.most[b]
        score = np.clip(part.x[rows].sum(), 0.5, n * most - 0.5)
        assert pytest.approx(score, abs=1e-3) == E


def test_columns_interact_too_and_unknown_ones_are_named():
    table = simulate(100, 6, 3, seed=7).table()
    group = ["u" if int(str(r)[1:]) % 2 else "v" for r in table["rater"].to_pylist()]
    table = table.append_column("group", pa.array(group))
    fit = fit_jmle(read_ratings(table, columns=["group"]))
    assert len(find_interactions(fit, "group", "criterion").t) == 20
    with pytest.raises(DataError, match=r"no facet 'age'.*group"):
        find_interactions(fit, "age", "criterion")
