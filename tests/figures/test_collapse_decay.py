"""The weight-decay study: lines over the epochs, ends, seeds, colours by part."""

import pytest

from backend.figures import collapse_study, palette
from backend.figures.collapse_decay import VARIANTS
from backend.training.studies import WEIGHT_DECAYS
from tests.figures.collapse_results import EPOCHS, collapse, nc1

FACTORS = {"base": 1.0, "head x2": 0.9, "body x2": 0.5, "head 0": 1.1, "body 0": 2.0}


@pytest.fixture(scope="module")
def study():
    """Five variants with two seeds each, the second 1.5 times the first."""
    results, labels = [], {}
    for i, (name, times) in enumerate(FACTORS.items()):
        for seed, more in enumerate((1.0, 1.5)):
            key = f"{i}{seed}".ljust(32, "0")
            results.append(collapse(key=key, seed=seed, times=times * more))
            labels[key] = name
    return results, labels


def traces(fig, name: str, axis: str) -> list:
    return [t for t in fig.data if t.name == name and t.yaxis == axis]


def test_a_line_for_each_variant_is_the_mean_of_its_seeds(study):
    fig = collapse_study(study[0], labels=study[1])
    last = nc1(len(EPOCHS) - 1, 2)
    for name, times in FACTORS.items():
        (line,) = traces(fig, name, "y")
        assert line.y[-1] == pytest.approx(1.25 * times * last)
        (band,) = traces(fig, f"{name}: interval", "y")
        assert (band.y[0], band.y[-1]) == pytest.approx((times, 1.5 * times))
        assert line.line.color == VARIANTS[name]
    said = fig.layout.title.subtitle.text
    assert "10 runs" in said and "5 variants · 2 seeds each" in said


def test_ends_are_dots_with_the_least_and_the_largest_seed_on_the_same_scale(study):
    fig = collapse_study(study[0], labels=study[1])
    last = nc1(len(EPOCHS) - 1, 2)
    (dot,) = traces(fig, "body 0", "y2")
    assert (dot.x[0], dot.y[0]) == (4, pytest.approx(2.5 * last))
    assert dot.error_y.arrayminus[0] == pytest.approx(0.5 * last)
    assert dot.error_y.array[0] == pytest.approx(0.5 * last)
    (seeds,) = traces(fig, "body 0: seeds", "y2")
    assert seeds.y == pytest.approx([2 * last, 3 * last])
    assert fig.layout.yaxis2.matches == "y" and fig.layout.yaxis2.type == "log"
    assert fig.layout.xaxis2.ticktext == ("base", "head<br>x2", "body<br>x2", "head<br>0",
                                          "body<br>0")  # fmt: skip


def test_a_single_seed_has_the_interval_over_rows():
    fig = collapse_study([collapse()], labels={collapse().key: "base"})
    (dot,) = traces(fig, "base", "y2")
    assert dot.error_y.arrayminus[0] == pytest.approx(0.2 * dot.y[0])
    assert not traces(fig, "base: seeds", "y2")


def test_nc2_stands_below_any_other_measure(study):
    fig = collapse_study(study[0], labels=study[1], measure="nc1_ratio")
    titles = [a.text for a in fig.layout.annotations[:4]]
    assert titles == ["NC1~ over the epochs", "NC1~ at the end", "NC2 over the epochs",
                      "NC2 at the end"]  # fmt: skip
    alone = collapse_study(study[0], labels=study[1], measure="nc2")
    assert "yaxis3" not in alone.layout and alone.layout.yaxis.type is None


def test_every_variant_of_the_study_has_a_colour_and_others_take_none_of_them():
    assert set(WEIGHT_DECAYS) <= set(VARIANTS)
    assert len({VARIANTS[name] for name in WEIGHT_DECAYS}) == 5
    other = collapse(key="9" * 32)
    fig = collapse_study([collapse(), other], labels={collapse().key: "base", other.key: "mine"})
    (line,) = traces(fig, "mine", "y")
    assert line.line.color in palette.CATEGORIES and line.line.color not in VARIANTS.values()
