"""Dictionaries: what was put in is found again; codes, dead directions, matching, refusals."""

import numpy as np
import pytest

from backend.complexity import dictionary as made
from backend.errors import AnalysisError


def _parts(n: int = 600, k: int = 6, d: int = 20, seed: int = 0):
    """Rows that are sparse non-negative sums of k directions with their own neurons."""
    rng = np.random.default_rng(seed)
    D = rng.gamma(1.0, size=(k, d)) * (rng.random((k, d)) < 0.4)
    D[np.arange(k), np.arange(k)] = 3.0
    Z = rng.gamma(1.0, size=(n, k)) * (rng.random((n, k)) < 0.4)
    return Z, made.unit(D), Z @ made.unit(D)


def test_nmf_finds_the_parts_at_their_number():
    Z, D, X = _parts()
    found = made.learn_nmf(X, 6, seed=0, iterations=2000)
    codes = made.encode(found, X)
    assert made.reconstruction_r2(X, found.decode(codes)) > 0.99
    assert np.linalg.norm(found.D, axis=1) == pytest.approx(np.ones(6))
    a, b, cosines = made.match(D, found.D)
    assert cosines.min() > 0.97
    agree = [np.corrcoef(Z[:, i], codes[:, j])[0, 1] for i, j in zip(a, b, strict=True)]
    assert min(agree) > 0.95
    assert not found.signed
    assert "nndsvda" in found.said


def test_nmf_with_more_directions_than_neurons_starts_at_random_and_says_so():
    X = _parts()[2]
    found = made.learn_nmf(X, 30, seed=0, iterations=50)
    assert found.D.shape[0] + found.dead == 30
    assert "started by random" in found.said
    short = made.learn_nmf(X, 6, seed=0, iterations=2)
    assert short.said.endswith("stopped at 2 iterations")


def test_nmf_by_class_names_where_each_direction_comes_from():
    Z, D, _ = _parts()
    labels = np.where(np.arange(600) < 300, "cat", "dog")
    Z[:300, 3:] = 0
    Z[300:, :3] = 0
    X = Z @ D
    found = made.learn_nmf_classes(X, labels, 3, seed=0, iterations=2000)
    assert found.origin == ("cat",) * 3 + ("dog",) * 3
    assert made.match(D[:3], found.D[:3])[2].min() > 0.95
    assert made.match(D[3:], found.D[3:])[2].min() > 0.95
    X[299] = D[0]
    few = made.learn_nmf_classes(X[299:], labels[299:], 3, seed=0)
    assert few.origin.count("cat") == 1  # one row gives one direction


def test_the_seed_fixes_a_dictionary():
    X = _parts()[2]
    for learn in (made.learn_nmf, made.learn_kmeans, made.learn_sparse):
        one, two = (learn(X, 5, seed=3) for _ in range(2))
        assert np.allclose(one.D, two.D, atol=1e-9)


def test_kmeans_finds_directions_and_codes_them_without_sign():
    rng = np.random.default_rng(1)
    D = made.unit(rng.normal(size=(4, 12)))
    D -= D.mean(axis=0)
    which = rng.integers(4, size=800)
    X = rng.gamma(3.0, size=(800, 1)) * D[which] + 0.02 * rng.normal(size=(800, 12)) + 5
    found = made.learn_kmeans(X, 4, seed=0)
    a, b, cosines = made.match(D, found.D)
    assert cosines.min() > 0.9
    codes = made.encode(found, X)
    assert (codes >= 0).all()
    own = dict(zip(a, b, strict=True))
    assert np.mean(codes.argmax(axis=1) == [own[i] for i in which]) > 0.95
    assert found.signed
    assert made.reconstruction_r2(X, found.decode(codes)) > 0.9


def test_a_sparse_dictionary_rebuilds_rows_with_few_codes():
    rng = np.random.default_rng(2)
    D = made.unit(rng.normal(size=(8, 10)))
    Z = rng.gamma(2.0, size=(500, 8)) * (rng.random((500, 8)) < 0.2)
    X = Z @ D + 3
    found = made.learn_sparse(X, 12, seed=0, strength=0.05)
    codes = made.encode(found, X)
    assert made.reconstruction_r2(X, found.decode(codes)) > 0.8
    assert (codes > 0).mean() < 0.5
    assert found.penalty > 0
    bigger = made.learn_sparse(10 * X, 12, seed=0, strength=0.05)
    assert bigger.penalty == pytest.approx(10 * found.penalty)


def test_principal_directions_rebuild_exactly_and_code_by_projection():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 7)) + 2
    found = made.learn_pca(X, 3)
    codes = made.encode(found, X)
    assert codes == pytest.approx((X - X.mean(axis=0)) @ found.D.T)
    assert found.decode(codes) == pytest.approx(X)
    assert np.diff(codes.var(axis=0)).max() < 0


def test_neurons_are_the_activations_themselves():
    X = np.random.default_rng(4).normal(size=(10, 5))
    found = made.neurons(5)
    assert made.encode(found, X) == pytest.approx(X)
    assert found.decode(X) == pytest.approx(X)
    assert not found.signed


@pytest.mark.parametrize("k", [4, 15])
def test_random_directions_rebuild_what_they_span(k: int):
    X = np.random.default_rng(5).normal(size=(50, 9))
    found = made.random_directions(9, k, seed=0)
    codes = made.encode(found, X)
    assert codes == pytest.approx(X @ found.D.T)
    span = np.linalg.pinv(found.D) @ found.D
    assert found.decode(codes) == pytest.approx(X @ span)


def test_dead_directions_are_dropped_and_counted():
    X = np.random.default_rng(6).gamma(1.0, size=(50, 4))
    X[:, 2] = 0
    found, codes = made.without_dead(made.neurons(4), X)
    assert found.D.argmax(axis=1).tolist() == [0, 1, 3]
    assert (found.dead, len(found.origin), codes.shape) == (1, 3, (50, 3))
    with pytest.raises(AnalysisError, match="All 4 features are constant"):
        made.without_dead(made.neurons(4), np.ones((5, 4)))


def test_matching_undoes_an_order_and_is_one_to_one():
    D = made.unit(np.random.default_rng(7).normal(size=(6, 9)))
    order = np.array([3, 0, 5, 1, 4, 2])
    a, b, cosines = made.match(5 * D[order], D)
    assert order[a].tolist() == b.tolist()
    assert cosines == pytest.approx(np.ones(6))
    a, b, _ = made.match(D[:2], D)
    assert (a.tolist(), sorted(b)) == ([0, 1], [0, 1])


def test_stability_is_one_for_what_returns_and_less_for_what_does_not():
    rng = np.random.default_rng(8)
    D = made.unit(rng.normal(size=(6, 9)))
    half = np.concatenate([D[:3], made.unit(rng.normal(size=(3, 9)))])
    assert made.stability(D, [D[::-1], 2 * D]) == pytest.approx(np.ones(6))
    once = made.stability(D, [half])
    assert once[:3] == pytest.approx(np.ones(3)) and (once[3:] < 0.9).all()
    assert made.stability(D, [D, half]) == pytest.approx((1 + once) / 2)
    with pytest.raises(AnalysisError, match="no stability"):
        made.stability(D, [])


def test_a_direction_counts_where_it_has_a_partner():
    D = np.eye(3)
    got = made.stability(D, [D[:1], D[:2]])
    assert got[:2] == pytest.approx([1, 1]) and np.isnan(got[2])


def test_a_random_start_of_a_sparse_dictionary_differs_by_seed_and_its_own_start_does_not():
    X = np.random.default_rng(10).normal(size=(120, 12))
    usual = [made.learn_sparse(X, 4, seed=s).D for s in (1, 2)]
    drawn = [made.learn_sparse(X, 4, seed=s, init="random").D for s in (1, 2, 1)]
    assert made.stability(usual[0], usual[1:]).mean() > 0.95
    assert made.stability(drawn[0], drawn[1:2]).mean() < 0.9
    assert drawn[0] == pytest.approx(drawn[2])
    assert made.learn_sparse(X[:3], 5, seed=0, init="random").D.shape[1] == 12  # more than rows


def test_dealing_out_keeps_each_coordinates_values_and_breaks_what_goes_together():
    D = made.unit(np.random.default_rng(9).gamma(0.3, size=(40, 30)))
    other = made.dealt_out(D, seed=0)
    assert np.sort(other, axis=0) == pytest.approx(np.sort(D, axis=0))
    assert other == pytest.approx(made.dealt_out(D, seed=0))
    assert made.stability(D, [other]).mean() < 0.8 < made.stability(D, [D]).mean()


def test_reconstruction_is_scored_against_the_mean():
    X = np.array([[0.0, 1.0], [2.0, 5.0]])
    assert made.reconstruction_r2(X, X) == 1
    assert made.reconstruction_r2(X, np.tile(X.mean(axis=0), (2, 1))) == 0
    assert np.isnan(made.reconstruction_r2(np.ones((3, 2)), np.ones((3, 2))))


def test_what_cannot_be_learnt_is_refused():
    X = np.random.default_rng(10).normal(size=(20, 4))
    for call, words in (
        (lambda: made.learn_nmf(X, 2, seed=0), "NMF needs values of 0 or more"),
        (lambda: made.learn_nmf_classes(X, ["a"] * 20, 2, seed=0), "NMF needs values"),
        (lambda: made.learn_nmf_classes(0 * X, ["a"] * 20, 2, seed=0), "All values are 0"),
        (lambda: made.learn_kmeans(X, 21, seed=0), "21 directions cannot be learnt"),
        (lambda: made.learn_pca(X, 5), "5 directions"),
        (lambda: made.learn_sparse(np.ones((9, 3)), 2, seed=0), "All rows are the same"),
        (lambda: made.random_directions(4, 0, seed=0), "0 directions"),
    ):
        with pytest.raises(AnalysisError, match=words):
            call()


def test_more_directions_than_the_rank_are_found_again_with_the_same_seed():
    rng = np.random.default_rng(0)
    X = rng.random((80, 6)) @ rng.random((6, 20))  # rank 6
    one, again = (made.learn_nmf(X, 12, seed=3) for _ in range(2))
    assert "random" in one.said
    np.testing.assert_array_equal(one.D, again.D)
    assert "nndsvda" in made.learn_nmf(X, 6, seed=3).said
