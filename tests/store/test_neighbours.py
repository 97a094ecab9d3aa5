from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from backend.errors import StoreError
from backend.store.database import Store
from backend.store.neighbours import nearest

from .conftest import Stored, add_capture


def _scores(matrix: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    if metric == "euclidean":
        return np.linalg.norm(matrix - query, axis=1)
    norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(query)
    return matrix @ query / norms


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_of_a_row_agree_with_numpy(filled: tuple[Store, Stored], metric: str) -> None:
    store, captured = filled
    row = int(captured.rows[17])
    scores = _scores(captured.matrix, captured.matrix[17], metric)
    order = np.argsort(-scores if metric == "cosine" else scores)
    order = order[order != 17][:6]
    found = nearest(store, captured.key, row=row, metric=metric, k=6)
    assert found.column_names == ["row", "score"]
    assert found["row"].to_pylist() == captured.rows[order].tolist()
    np.testing.assert_allclose(found["score"].to_numpy(), scores[order], rtol=1e-5)


def test_a_scaled_vector_has_the_same_cosine_neighbours(filled: tuple[Store, Stored]) -> None:
    store, captured = filled
    query = captured.matrix[3]
    first = nearest(store, captured.key, vector=query)
    scaled = nearest(store, captured.key, vector=37 * query)
    assert first["row"] == scaled["row"]
    assert first["row"][0].as_py() == captured.rows[3]  # a vector leaves nothing out
    assert first["score"][0].as_py() == pytest.approx(1, abs=1e-6)


def test_only_among_chosen_rows(filled: tuple[Store, Stored]) -> None:
    store, captured = filled
    chosen = captured.rows[:5]
    found = nearest(store, captured.key, row=int(chosen[0]), rows=chosen, k=50)
    assert set(found["row"].to_pylist()) == set(chosen[1:].tolist())


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_zero_vectors_and_nan_come_last(store: Store, captured: Stored, metric: str) -> None:
    rows = np.arange(6)
    matrix = np.random.default_rng(2).normal(size=(6, 3)).astype(np.float32)
    matrix[1], matrix[2, 0] = 0, np.nan
    key = add_capture(store, captured.dataset, rows, matrix, site="z")
    found = nearest(store, key, row=0, metric=metric, k=6)
    assert found.num_rows == 5
    scores = found["score"].to_numpy()
    n_last = 2 if metric == "cosine" else 1  # the distance to zero is a number
    assert np.isnan(scores[-n_last:]).all()
    assert np.isfinite(scores[:-n_last]).all()
    assert found["row"].to_pylist()[-1] == 2


def test_several_vectors_per_row(store: Store, captured: Stored) -> None:
    rows = np.array([4, 4, 7, 7])
    positions = np.array([0, 1, 0, 1], dtype=np.int32)
    matrix = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]], dtype=np.float32)
    key = add_capture(store, captured.dataset, rows, matrix, site="t", positions=positions)
    found = nearest(store, key, row=4, position=1, k=3)
    assert found.select(["row", "position"]).to_pylist() == [
        {"row": 7, "position": 1},
        {"row": 7, "position": 0},
    ]
    with pytest.raises(StoreError, match="at 9"):
        nearest(store, key, row=4, position=9)


def test_half_precision(store: Store, captured: Stored) -> None:
    matrix = captured.matrix.astype(np.float16)
    key = add_capture(store, captured.dataset, captured.rows, matrix, site="h", half=True)
    widened = matrix.astype(np.float32)
    best = np.argsort(-_scores(widened, widened[0], "cosine"))[1]
    found = nearest(store, key, row=int(captured.rows[0]), k=1)
    assert found["row"].to_pylist() == [captured.rows[best]]


def test_threads_do_not_disturb_each_other(filled: tuple[Store, Stored]) -> None:
    store, captured = filled

    def search(i: int) -> bool:
        found = nearest(store, captured.key, vector=captured.matrix[i % 80], k=1)
        return found["row"].to_pylist() == [captured.rows[i % 80]]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(search, range(160)))


def test_bad_searches_are_refused(filled: tuple[Store, Stored]) -> None:
    store, captured = filled
    key, good = captured.key, captured.matrix[0]
    missing = int(np.setdiff1d(np.arange(100), captured.rows)[0])
    for said, search in (
        ("one of row and vector", {}),
        ("one of row and vector", {"row": 1, "vector": good}),
        (f"Row {missing} was not captured", {"row": missing}),
        ("width 8", {"vector": good[:3]}),
        ("not finite", {"vector": good * np.nan}),
        ("zero", {"vector": good * 0}),
        ("not a metric", {"vector": good, "metric": "cosine) --"}),
    ):
        with pytest.raises(StoreError, match=said):
            nearest(store, key, **search)
    assert nearest(store, key, vector=good * 0, metric="euclidean").num_rows == 10
