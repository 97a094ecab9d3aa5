"""Collapse of the last layer, taken in a pass that is made anyway."""

import numpy as np
import pytest
import torch

from backend.collapse.streaming import collapse
from backend.training import collapsing
from backend.training.collapsing import LIVE, Seen


def seen_rows(rows: int, batch: int, labels: torch.Tensor, n_classes: int = 3) -> tuple:
    torch.manual_seed(0)
    head, X = torch.nn.Linear(5, n_classes), torch.randn(rows, 5)
    with Seen(head, rows) as seen:
        for some in X.split(batch):
            head(some)
    head(X[:2])  # after the pass: not counted
    return head, X, seen.measures(labels, n_classes)


def test_the_measures_are_those_of_the_rows_and_the_head():
    y = torch.arange(60) % 3
    head, X, found = seen_rows(60, 7, y)
    whole = collapse(X.numpy(), y.numpy(), weight=head.weight.detach().numpy(),
                     bias=head.bias.detach().numpy())  # fmt: skip
    assert set(found) == set(LIVE)
    for name in LIVE:
        assert found[name] == pytest.approx(getattr(whole, name), rel=1e-12)


@pytest.mark.parametrize("batch", [7, 64])
def test_of_too_many_rows_every_kth_is_taken(monkeypatch, batch):
    monkeypatch.setattr(collapsing, "_MOST", 25)
    y = torch.arange(60) % 3
    y = y[torch.randperm(60, generator=torch.Generator().manual_seed(1))]
    head, X, found = seen_rows(60, batch, y)
    some = collapse(X[::3].numpy(), y[::3].numpy(), weight=head.weight.detach().numpy(),
                    bias=head.bias.detach().numpy())  # fmt: skip
    assert found["nc1"] == pytest.approx(some.nc1, rel=1e-12)


def test_a_class_of_one_row_has_no_spread():
    y = torch.zeros(20, dtype=torch.int64)
    y[3:11], y[19] = 1, 2
    assert seen_rows(20, 8, y)[2] == dict.fromkeys(LIVE)


def test_what_is_not_defined_is_none():
    y = torch.arange(20) % 2
    found = seen_rows(20, 8, y, n_classes=2)[2]
    assert found["nc2"] is None  # two centred means are always opposite
    assert np.isfinite(found["nc1"])
