"""The last linear map of a model, as numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.analyses.linear_head import linear_head


@pytest.mark.parametrize("bias", [True, False])
def test_weight_and_bias_give_the_heads_own_logits(bias):
    head = torch.nn.Linear(4, 3, bias=bias)
    W, b = linear_head(SimpleNamespace(head=head))
    x = torch.randn(5, 4)
    np.testing.assert_allclose(x.numpy() @ W.T + b, head(x).detach().numpy(), atol=1e-6)
    assert W.dtype == b.dtype == np.float64 and (bias or not b.any())


@pytest.mark.parametrize("head", [None, torch.nn.Identity(), torch.nn.Conv2d(3, 2, 1)])
def test_another_head_is_no_linear_map(head):
    assert linear_head(SimpleNamespace(head=head)) is None
