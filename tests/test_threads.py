"""One torch thread for small fits, and what was before afterwards."""

import pytest
import torch

from backend.threads import FEW, one_torch_thread


@pytest.mark.parametrize(("n", "inside"), [(0, 1), (FEW, 1), (FEW + 1, 2)])
def test_few_rows_have_one_thread_and_the_rest_as_before(n, inside):
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), one_torch_thread(n):
            assert torch.get_num_threads() == inside
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
