"""The model beside the changed one; and what all figures of changed models have in common."""

import json
from itertools import product

import numpy as np
import pytest

from backend import figures
from backend.errors import AnalysisError
from backend.figures import next_tokens, palette, token_losses
from tests.figures.whatif_results import (
    WORDS,
    depth,
    hops,
    maps,
    quantization,
    result_of,
    two_models,
    whatif,
)


def test_next_tokens_are_pairs_of_bars_with_the_likeliest_on_top():
    fig = next_tokens(whatif())
    base, changed = fig.data
    assert (base.name, changed.name) == ("baseline", "what-if")
    assert (base.marker.color, changed.marker.color) == (palette.BASELINE, palette.WHATIF)
    assert np.allclose(base.x, [0.41, 0.2, 0.1, 0.06, 0.02, 0.01])
    assert np.allclose(changed.x, [0.1, 0.41, 0.2, 0.06, 0.01, 0.02])
    assert base.orientation == "h" and fig.layout.barmode == "group"
    assert fig.layout.yaxis.autorange == "reversed"
    assert fig.layout.xaxis.range[1] > 0.41
    assert list(base.text) == ["0.410", "0.200", "0.100", "0.0600", "0.0200", "0.0100"]


def test_words_are_shown_and_cannot_bring_markup():
    fig = next_tokens(whatif())
    assert list(fig.layout.yaxis.ticktext)[:5] == ["two", "three", "four", "&lt;i&gt;", "↵"]
    small = fig.layout.title.subtitle.text
    assert "n 1 position · after “…" in small
    assert "&lt;b&gt; eats one”" in small
    assert "what-if: skip 3; 4 bits in 5-9" in small


def test_the_likeliest_words_come_first_whatever_the_order_of_the_table():
    table = {
        "rank": list(range(20, 0, -1)),
        "token": [f"w{r}" for r in range(20, 0, -1)],
        "base_probability": [0.01] * 20,
        "probability": [0.02] * 20,
    }
    fig = next_tokens(result_of("whatif", {}, {"next": table}))
    assert list(fig.layout.yaxis.ticktext) == [f"w{r}" for r in range(1, 15)]


def test_each_token_has_its_two_losses():
    fig = token_losses(whatif())
    lines = {t.name: t for t in fig.data}
    assert np.allclose(lines["baseline"].y, 2 + np.sin(np.arange(len(WORDS))))
    assert np.allclose(lines["what-if"].y, 2.4 + 1.3 * np.sin(np.arange(len(WORDS))))
    assert lines["baseline"].line.color == palette.BASELINE
    assert lines["what-if"].line.color == palette.WHATIF
    assert list(fig.layout.xaxis.ticktext)[:2] == ["If", "Tom"]
    assert list(lines["baseline"].customdata) == list(range(1, len(WORDS) + 1))
    assert lines["what-if"].text[0] == "“If” 2.40 nats, +0.400"
    assert lines["baseline"].text[0] == "“If” 2.00 nats"


def test_the_means_and_their_difference_are_in_the_small_print():
    small = token_losses(whatif()).layout.title.subtitle.text
    assert "mean 2.01, changed 2.42 · change 0.410 (0.200 to 0.620)" in small
    assert "n 1 text" in small and "first text drawn" not in small
    several = result_of(
        "whatif", {"n": 3, "tokens": 90}, {"tokens": whatif().tables["tokens"].to_pydict()}
    )
    assert "first text drawn" in token_losses(several).layout.title.subtitle.text


def test_missing_tables_are_named():
    with pytest.raises(AnalysisError, match=r"no table 'next'"):
        next_tokens(depth())
    with pytest.raises(AnalysisError, match=r"no table 'tokens'"):
        token_losses(depth())


def _choices(**options: tuple) -> list[dict]:
    return [dict(zip(options, picked, strict=True)) for picked in product(*options.values())]


SCORES = ("lim", "lim_flattened", "zd", "zd_two_sided", "sensitivity", "pruned")
EVERY = {
    "depth_contributions": (
        depth,
        _choices(measure=("relative", "cosine", "norm"), current=(None, 0)),
    ),
    "depth_skip_map": (
        depth,
        _choices(mode=("current", "future"), reduce=("max", "mean", "p95"), current=(None, 5)),
    ),
    "depth_output_bars": (depth, _choices(reduce=("mean", "max"), current=(None, 99))),
    "depth_lens": (depth, [{}]),
    "depth_scores": (hops, [{}]),
    "erasure_map": (maps, [{}]),
    "attribution_map": (maps, [{}]),
    "layer_map": (two_models, [{}]),
    "layer_scores": (quantization, _choices(scores=((), ("zd",), SCORES[:4]), current=(None, 1))),
    "score_scatter": (quantization, _choices(x=SCORES, y=SCORES, ranks=(True, False))),
    "budget_curve": (quantization, _choices(marked=(None, (3.5, 3.0)))),
    "width_lines": (quantization, [{}]),
    "next_tokens": (whatif, [{}]),
    "token_losses": (whatif, [{}]),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_figure_says_where_it_comes_from_with_all_options(name):
    make, choices = EVERY[name]
    result = make()
    for options in choices:
        fig = getattr(figures, name)(result, **options)
        assert fig.layout.title.text and len(fig.layout.title.text) < 60
        assert "float32 · seed 7" in fig.layout.title.subtitle.text
        assert fig.layout.meta["key"] == result.key
        assert [a.text for a in fig.layout.annotations if a.name == "footer"] == [
            "penultimate 0123456789ab"
        ]
        assert fig.layout.xaxis.title.text or name == "layer_scores"
        assert json.loads(fig.to_json())["layout"]["meta"]["seed"] == 7


@pytest.mark.parametrize("name", EVERY)
def test_no_figure_of_changed_models_writes_notes_that_paper_would_take_for_panels(name):
    make, choices = EVERY[name]
    notes = getattr(figures, name)(make(), **choices[-1]).layout.annotations
    panels = [note for note in notes if note.name != "footer"]
    assert bool(panels) == (name == "layer_scores")
