"""Maps of one prompt, and of one model's layers on another's."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import attribution_map, erasure_map, layer_map, palette
from tests.figures.whatif_results import WORDS, depth, maps, result_of, two_models


def test_the_erasure_map_has_layers_up_and_tokens_across():
    fig = erasure_map(maps(6))
    heat = fig.data[0]
    assert heat.z.shape == (7, len(WORDS))
    assert heat.z[0, 0] == pytest.approx(0.8)
    assert heat.z[6, 0] == pytest.approx(0.05)
    assert heat.zmin == 0
    assert "“three” at block 1 (17 %)<br>change of the output 0.800" in heat.customdata[2][3]
    assert "embedding" in heat.customdata[0][0] and "output" in heat.customdata[6][0]
    assert fig.layout.yaxis.range[0] < fig.layout.yaxis.range[1]
    assert "n 1 prompt · 11 tokens" in fig.layout.title.subtitle.text


def test_tokens_are_ticks_and_cannot_bring_markup():
    ticks = list(erasure_map(maps()).layout.xaxis.ticktext)
    assert ticks[:4] == ["If", "Tom", "has", "three"]
    assert ticks[7] == "↵"
    assert ticks[8] == "&lt;b&gt;"


def test_of_many_tokens_every_third_is_named():
    axis = erasure_map(maps(words=[f" w{i}" for i in range(100)])).layout.xaxis
    assert list(axis.tickvals)[:3] == [0, 3, 6]
    assert list(axis.ticktext)[:3] == ["w0", "w3", "w6"]
    assert "every 3 named" in axis.title.text


def test_attribution_diverges_around_zero():
    fig = attribution_map(maps(6))
    heat = fig.data[0]
    assert heat.z.shape == (6, len(WORDS))
    assert heat.zmin == -heat.zmax
    assert heat.zmax == pytest.approx(float(np.abs(heat.z).max()))
    assert heat.colorscale[0][1] == palette.DIVERGING[0]
    assert heat.colorscale[-1][1] == palette.DIVERGING[-1]
    assert "block 0 (0 %)" in heat.customdata[0][0]
    assert fig.layout.yaxis.ticktext[0] == "0 · 0 %"


def test_positions_may_start_anywhere():
    columns = maps().tables["erasure"].to_pydict()
    columns["position"] = [p + 5 for p in columns["position"]]
    shifted = erasure_map(result_of("maps", {"n": 1}, {"erasure": columns})).data[0]
    assert np.array_equal(shifted.z, erasure_map(maps()).data[0].z)


def test_a_map_without_any_effect_can_be_drawn():
    table = {"layer": [0, 1], "position": [0, 0], "token": ["a", "a"], "effect": [0.0, 0.0]}
    assert erasure_map(result_of("maps", {}, {"erasure": table})).data[0].zmax == 1


def test_two_models_meet_at_equal_relative_depth():
    fig = layer_map(two_models(4, 8))
    heat, line, best = fig.data
    assert heat.z.shape == (5, 9)
    assert heat.z[2, 4] == pytest.approx(0.25)
    assert heat.colorscale[-1][1] == palette.LAYER_RAMP[0]  # the better, the darker
    assert heat.zmax == 1
    assert "colour ends at 1; cells above it: 8" in fig.layout.title.subtitle.text
    assert (list(line.x), list(line.y)) == ([0, 8], [0, 4])
    assert list(best.x) == [0, 2, 4, 6, 8] and list(best.y) == [0, 1, 2, 3, 4]
    said = heat.text[2][4]
    assert "block 1 (25 %) to block 3 (38 %)" in said
    assert "relative error 0.250 (0.230 to 0.270), R² 0.969" in said
    assert "rows shuffled 1.02" in said
    assert "demo:deep" in fig.layout.xaxis.title.text
    assert "demo:shallow" in fig.layout.yaxis.title.text
    assert fig.layout.xaxis.ticktext[0] == "emb"


def test_missing_tables_are_named():
    for draw, name in (
        (erasure_map, "erasure"),
        (attribution_map, "attribution"),
        (layer_map, "map"),
    ):
        with pytest.raises(AnalysisError, match=f"no table '{name}'"):
            draw(depth())
