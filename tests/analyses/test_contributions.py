"""Contributions written by hand, where every ratio and cosine is known; and a tiny model's."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.analyses.contributions import contributions, join
from backend.whatif.replay import record
from tests import rigs

EVERY = np.ones((1, 1), bool)


def made(h, a, m, *, scale: float = 1.0) -> SimpleNamespace:
    """A replay of one layer and one token."""
    h, a, m = (scale * torch.tensor(x, dtype=torch.float32)[None, None] for x in (h, a, m))
    return SimpleNamespace(states=[h, h + a + m], attention=[a], mlp=[m], n_blocks=1)


def one(replay: SimpleNamespace) -> dict[str, float]:
    return {name: float(v[0, 0]) for name, v in contributions(replay, EVERY).mean.items()}


def test_new_strengthened_and_erased_directions():
    new = one(made([3, 0, 0], [0, 4, 0], [0, 0, 2]))
    assert (new["attn_norm"], new["mlp_norm"], new["stream_norm"]) == (4, 2, 3)
    assert new["layer_norm"] == pytest.approx(20**0.5)
    relative = [new[f"{name}_relative"] for name in ("attn", "mlp", "layer")]
    assert relative == pytest.approx([4 / 3, 0.4, 20**0.5 / 3])
    assert new["attn_cosine"] == new["mlp_cosine"] == new["layer_cosine"] == 0
    assert new["stream_cosine"] == pytest.approx(3 / 29**0.5)
    erased = one(made([2, 0], [-1, 0], [-1, 0]))
    assert erased["attn_cosine"] == erased["mlp_cosine"] == erased["layer_cosine"] == -1
    assert erased["layer_relative"] == 1 and erased["mlp_relative"] == 1
    more = one(made([2, 2], [1, 1], [3, 3]))
    assert more["layer_cosine"] == pytest.approx(1) and more["mlp_cosine"] == pytest.approx(1)


def test_ratios_and_cosines_do_not_depend_on_scale_and_nothing_divides_by_zero():
    small, large = (one(made([1, 2], [3, -1], [1, 1], scale=s)) for s in (1, 1000))
    for name, value in small.items():
        wanted = 1000 * value if name.endswith("norm") else value
        assert large[name] == pytest.approx(wanted, rel=1e-5)
    empty = one(made([0, 0], [0, 0], [0, 0]))
    assert set(empty.values()) == {0.0}


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_means_of_a_model_are_over_measured_tokens_only(family):
    texts = [[5, 6, 7, 8, 9], [10, 11, 12]]
    replay = record(rigs.open_model(family), texts, sublayers=True)
    measured = np.array([[0, 1, 1, 1, 1], [0, 1, 1, 0, 0]], bool)
    found = contributions(replay, measured)
    for row, ids in enumerate(texts):
        alone = record(rigs.open_model(family), [ids], sublayers=True)
        for layer in range(3):
            h = alone.states[layer][0, 1:]
            a, m = alone.attention[layer][0, 1:], alone.mlp[layer][0, 1:]
            assert torch.allclose(h + a + m, alone.states[layer + 1][0, 1:], rtol=1e-5, atol=1e-5)
            ratio = ((a + m).norm(dim=-1) / h.norm(dim=-1)).numpy()
            ours = [x["layer_relative"][row, layer] for x in (found.mean, found.largest)]
            assert ours == pytest.approx([ratio.mean(), ratio.max()], rel=1e-4)
            cosine = torch.cosine_similarity(m, h + a, dim=-1).mean()
            assert found.mean["mlp_cosine"][row, layer] == pytest.approx(float(cosine), abs=1e-5)
    both = join([found, found])
    assert both.mean["attn_norm"].shape == (4, 3) and set(both.largest) == {
        "attn_relative", "mlp_relative", "layer_relative",
    }  # fmt: skip
