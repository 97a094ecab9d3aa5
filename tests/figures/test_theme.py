"""Titles, small print, provenance and numbers as text."""

import json
import math

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from backend.figures import theme


def test_a_finished_figure_says_n_pooling_layer_dtype_seed_model_and_key(provenance):
    fig = theme.finish(go.Figure(), "Title", provenance, site="resid_post.3", n_blocks=6)
    small = fig.layout.title.subtitle.text
    for part in ("n 12 of 20 000", "last pooling", "block 3 (50 %)", "float32", "seed 7"):
        assert part in small
    assert "demo:smollm2@9f2b7c1" in small
    footers = [a.text for a in fig.layout.annotations if a.name == "footer"]
    assert footers == ["penultimate 0123456789ab"]


def test_a_folder_goes_by_its_title():
    model = {"ref": "/runs/016ade/epoch-0150", "id": "0123456789", "title": "MLP, epoch 150"}
    assert theme.model_names({"models": [model]}) == ["MLP, epoch 150@0123456"]
    assert theme.model_names({"models": [model | {"ref": "org/name@main"}]}) == ["org/name@main"]


def test_the_whole_provenance_is_in_the_figure_as_plain_json(provenance):
    odd = {**provenance, "top": np.float32(0.5), "bad": math.nan, "path": np.arange(2)}
    meta = theme.finish(go.Figure(), "Title", odd).layout.meta
    assert meta["parameters"] == {"k": 3}
    assert (meta["top"], meta["bad"], meta["path"]) == (0.5, None, [0, 1])
    json.dumps(meta, allow_nan=False)


def test_names_from_users_cannot_bring_markup(provenance):
    fig = theme.finish(go.Figure(), "a <b>bold</b> title", provenance)
    assert "<b>" not in fig.layout.title.text + fig.layout.title.subtitle.text.replace("<br>", "")
    assert "facts &amp; &lt;b&gt;" in fig.layout.title.subtitle.text


def test_a_sampled_view_says_so(provenance):
    fig = theme.finish(go.Figure(), "Title", provenance, n=1_000_000, drawn=(20_000, 1_000_000))
    assert "20 000 of 1 000 000 points drawn" in fig.layout.title.subtitle.text


@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_templates_are_registered_and_set(mode, provenance):
    fig = theme.set_mode(theme.finish(go.Figure(), "Title", provenance), mode)
    paper = pio.templates[theme.TEMPLATES[mode]].layout.paper_bgcolor
    assert fig.layout.template.layout.paper_bgcolor == paper
    assert (paper == "#14181D") == (mode == "dark")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.87345, "0.873"),
        (0.9, "0.900"),
        (12, "12.0"),
        (123.4, "123"),
        (1234.5, "1 230"),
        (999.7, "1 000"),
        (1e-5, "1.00e-5"),
        (-0.00123, "-0.00123"),
        (0, "0"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_numbers_have_three_significant_digits(value, text):
    assert theme.number(value) == text


def test_an_interval_is_written_only_where_there_is_one():
    assert theme.interval(0.5, 0.4, 0.6) == "0.500 (0.400 to 0.600)"
    assert theme.interval(0.5, math.nan, 0.6) == "0.500"


def test_a_revision_in_the_reference_is_shortened():
    said = {"models": [{"ref": "org/model@0123456789abcdef", "id": "zzz"}, {"ref": "folder"}]}
    assert theme.model_names(said) == ["org/model@0123456", "folder"]
    assert theme.model_refs(said) == ["org/model@0123456789abcdef", "folder"]


def test_no_figure_offers_to_send_data_away():
    assert theme.PLOTLY_CONFIG["showSendToCloud"] is False
    assert theme.PLOTLY_CONFIG["plotlyServerURL"] == ""
    assert theme.PLOTLY_CONFIG["displaylogo"] is False


@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_the_ground_is_one_colour_under_every_kind_of_axes(mode):
    layout = theme.set_mode(go.Figure(), mode).layout.template.layout
    assert layout.ternary.bgcolor == layout.plot_bgcolor == layout.paper_bgcolor
    assert layout.ternary.aaxis.linecolor == layout.xaxis.linecolor
