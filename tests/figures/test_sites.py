"""Sites in words and on axes."""

import pytest

from backend.figures.sites import count_blocks, layer_label, site_label, site_ticks, sort_sites


@pytest.mark.parametrize(
    ("site", "label"),
    [
        ("resid_post.12", "block 12 (40 %)"),
        ("resid_pre.0", "before block 0 (0 %)"),
        ("attn_out.15", "block 15 attention (50 %)"),
        ("mlp_out.3", "block 3 MLP (10 %)"),
        ("embed", "embedding"),
        ("final", "final norm"),
        ("head", "output"),
        ("odd name", "odd name"),
    ],
)
def test_labels(site, label):
    assert site_label(site, n_blocks=30) == label


def test_a_label_without_a_known_depth_has_no_percent():
    assert site_label("block.3") == "block 3"


def test_integer_layers_count_the_embedding_and_the_output():
    assert [layer_label(i, 5) for i in range(5)] == [
        "embedding",
        "block 0 (0 %)",
        "block 1 (25 %)",
        "block 2 (50 %)",
        "output",
    ]


def test_sites_sort_by_depth_not_by_letters():
    mixed = ["head", "resid_post.10", "mlp_out.2", "attn_out.2", "resid_post.2", "final", "embed"]
    assert sort_sites(mixed) == [
        "embed",
        "attn_out.2",
        "mlp_out.2",
        "resid_post.2",
        "resid_post.10",
        "final",
        "head",
    ]
    assert sort_sites(mixed[::-1]) == sort_sites(mixed)
    assert count_blocks(mixed) == 11


def test_ticks_are_few_and_say_block_and_depth():
    sites = ["embed", *(f"resid_post.{i}" for i in range(30))]
    at, text = site_ticks(sites)
    assert text == ["emb", "5<br>17 %", "10<br>33 %", "15<br>50 %", "20<br>67 %", "25<br>83 %"]
    assert [sites[i] for i in at[1:]] == [f"resid_post.{n}" for n in (5, 10, 15, 20, 25)]


def test_ticks_of_few_sites_name_each():
    at, text = site_ticks(["embed", "resid_post.0", "resid_post.1", "head"], depth=False)
    assert (at, text) == ([0, 1, 2, 3], ["emb", "0", "1", "out"])
