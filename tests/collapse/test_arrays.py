"""numpy and torch give the same blocks, and the shortcuts the same products."""

import numpy as np
import pytest
import torch

from backend.collapse.arrays import Numpy, Torch, as_numpy, library_of
from backend.errors import AnalysisError

LIBRARIES = [Numpy(), Torch(torch.device("cpu"))]


@pytest.mark.parametrize("library", LIBRARIES, ids=["numpy", "torch"])
@pytest.mark.parametrize("n", [1, 7, 50, 129])
@pytest.mark.parametrize(("d", "columns"), [(3, 2), (300, 5), (2048, 19), (64, 2000)])
def test_a_product_is_a_product_in_strips_too(library, n: int, d: int, columns: int):
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(n, d)), rng.normal(size=(d, columns))
    found = library.get(library.times(library.put(X), library.put(D)))
    np.testing.assert_allclose(found, X @ D, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("library", LIBRARIES, ids=["numpy", "torch"])
@pytest.mark.parametrize(("K", "d"), [(3, 5), (3, 3000), (40, 200)])  # few sums, and many
def test_rows_are_added_to_their_class(library, K: int, d: int):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, d)), rng.integers(K, size=60)
    out, expected = library.put(np.ones((K, d))), np.ones((K, d))
    library.add_by(out, library.put(y), library.put(X))
    np.add.at(expected, y, X)
    np.testing.assert_allclose(library.get(out), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES, ids=["numpy", "torch"])
def test_wide_is_a_copy_in_float64(library):
    for kind in (np.float16, np.float32, np.float64, np.uint8):
        block = library.put(np.ones((2, 3), kind))
        X = library.wide(block)
        X += 1
        assert library.get(X).dtype == np.float64
        assert library.get(block).tolist() == [[1, 1, 1]] * 2
        assert library.get(library.squares(X)).tolist() == [12, 12]


def test_bfloat16_is_widened_exactly():
    block = torch.tensor([[1.0078125, -3.0]], dtype=torch.bfloat16)
    assert library_of(block).wide(block).tolist() == [[1.0078125, -3.0]]
    assert as_numpy(block).tolist() == [[1.0078125, -3.0]]


@pytest.mark.parametrize(
    "features",
    [
        np.ones(3), np.ones((3, 2), complex), np.array([["a"]]), np.ones((3, 0)), [[1.0, 2.0]],
        torch.ones(3), torch.ones((3, 2), dtype=torch.complex64), torch.ones((2, 3, 4)),
    ],
)  # fmt: skip
def test_what_is_no_matrix_of_numbers_is_refused(features):
    with pytest.raises(AnalysisError, match="not a matrix of numbers"):
        library_of(features)
