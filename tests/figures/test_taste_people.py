"""What tastes like, how people divide, where a choice flips, and where a new person stands."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import (
    palette,
    read_provenance,
    taste_divisions,
    taste_flip,
    taste_likes,
    taste_place,
    to_html,
)
from tests.figures.taste_results import OPTIONS, people, preferences

SHADES = palette.category_colours(["0", "1", "2"])


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def flip(**given):
    """b is worth 2 logits more under taste 0, and 1 less under taste 1."""
    told = {"a": "tea", "b": "coffee", "by_taste": [2.0, -1.0], "weights": [0.5, 0.5], "moved": 0}
    return taste_flip(preferences(), **(told | {"flips_at": 1 / 3} | given))


def test_a_taste_shows_what_it_likes_from_most_to_least():
    fig = taste_likes(preferences(), taste=1)
    drawn = named(fig)
    assert np.allclose(drawn["taste 1"].x, [2, 1, 0, -1, -2])
    assert np.allclose(drawn["taste 0"].x, [-2, -1, 0, 1, 2])  # the same options
    assert list(fig.layout.yaxis.ticktext) == ["juice", "water", "milk", "coffee",
                                               "&lt;i&gt;tea&lt;/i&gt;"]  # fmt: skip
    assert fig.layout.yaxis.autorange == "reversed"
    assert drawn["taste 1"].marker.symbol == "diamond" and drawn["taste 1"].marker.size == 11
    assert drawn["taste 0"].marker.symbol == "circle"
    assert drawn["taste 1"].marker.color == SHADES["1"]
    assert drawn["taste 0"].customdata[4] == ["option", OPTIONS[0]]
    assert fig.layout.title.text == "What taste 1 likes most and least"


def test_of_many_options_both_ends_are_shown():
    fig = taste_likes(preferences(), taste=0, top=2)
    assert np.allclose(named(fig)["taste 0"].x, [2, 1, -1, -2])
    assert "milk" not in fig.layout.yaxis.ticktext


def test_the_most_disputed_come_first():
    fig = taste_likes(preferences(), taste=-1, top=1)
    assert list(fig.layout.yaxis.ticktext) == ["coffee", "water"]  # 0.9 and 0.5
    assert fig.layout.title.text == "The most disputed options"
    assert {t.marker.symbol for t in fig.data} == {"circle"}


@pytest.mark.parametrize("taste", [2, -2])
def test_a_taste_that_is_not_there_is_refused(taste):
    with pytest.raises(AnalysisError, match=f"There is no taste {taste}. Use 0 to 1, or -1."):
        taste_likes(preferences(), taste=taste)


def test_without_rewards_there_is_nothing_to_like():
    result = preferences()
    names = ["dispute", "reward_0", "reward_1"]
    result.tables["options"] = result.tables["options"].drop_columns(names)
    with pytest.raises(AnalysisError, match="'options' has no column dispute, reward_0"):
        taste_likes(result)


def test_the_strongest_weight_of_each_person_is_counted():
    fig = taste_divisions(preferences())
    (bars,) = fig.data
    assert np.allclose(bars.x, [0.9, 0.8, 0.7, 0.8, 0.5, 0.6])
    assert bars.xbins.start == 0.5 and list(fig.layout.xaxis.range) == [0.5, 1]
    assert bars.xbins.end > 1  # who has one taste alone is counted too
    assert bars.xbins.size == pytest.approx(0.025)
    assert taste_divisions(preferences(3)).data[0].xbins.start == pytest.approx(1 / 3)


def test_one_taste_leaves_bars_with_a_width():
    fig = taste_divisions(preferences(1))
    (bars,) = fig.data
    assert bars.xbins.size > 0
    low, high = fig.layout.xaxis.range
    assert low < 1 <= high


def test_groups_have_mean_weights_and_errors():
    fig = taste_divisions(preferences(), by="town")
    drawn = named(fig)
    assert list(drawn["taste 0"].x) == ["here", "there", palette.MISSING]  # largest first
    here = np.array([0.9, 0.8, 0.6])
    assert np.allclose(drawn["taste 0"].y, [here.mean(), 0.25, 0.5])
    assert np.allclose(drawn["taste 1"].y, 1 - np.array(drawn["taste 0"].y), atol=1e-6)
    error = 1.96 * here.std(ddof=1) / 3**0.5
    assert np.allclose(drawn["taste 0"].error_y.array[::2], [error, 0], atol=1e-6)
    assert drawn["taste 0"].text[0] == "n 3 people"
    assert drawn["taste 1"].marker.color == SHADES["1"]
    assert list(fig.layout.yaxis.range) == [0, 1]


def test_twelve_groups_at_the_most_are_shown():
    crowd = people().take(np.arange(40) % 6)
    at = crowd.column_names.index("town")
    towns = [[f"<i>t{min(i, 14)}" for i in range(40)]]
    fig = taste_divisions(preferences(persons=crowd.set_column(at, "town", towns)), by="town")
    assert len(fig.data[0].x) == 12
    assert fig.data[0].x[0] == "&lt;i&gt;t14"


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(AnalysisError, match="People have no column 'age'"):
        taste_divisions(preferences(), by="age")
    with pytest.raises(AnalysisError, match="'persons' has no column weight_0"):
        taste_divisions(preferences(persons=people().drop_columns(["weight_0"])))


def test_a_choice_along_one_weight_is_a_logistic_line_through_its_flip_point():
    fig = flip()
    line, now = named(fig)["P(b)"], named(fig)["now"]
    assert np.allclose(line.x, np.linspace(0, 1, 101))
    expected = 1 / (1 + np.exp(-(3 * np.linspace(0, 1, 101) - 1)))
    assert np.allclose(line.y, expected)
    assert now.x[0] == 0.5 and now.y[0] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert now.marker.color == palette.SELECTED
    (mark,) = [s for s in fig.layout.shapes if s.line.color == palette.WHATIF]
    assert mark.x0 == mark.x1 == pytest.approx(1 / 3) and mark.label.text == "even at 0.33"
    assert np.interp(mark.x0, line.x, line.y) == pytest.approx(0.5, abs=1e-4)


def test_the_other_tastes_keep_their_proportions():
    fig = flip(by_taste=[1.0, 4.0, -2.0], weights=[0.4, 0.2, 0.4], moved=0, flips_at=None)
    line, now = named(fig)["P(b)"], named(fig)["now"]
    assert line.y[0] == pytest.approx(0.5)  # (4 * 1 - 2 * 2) / 3 = 0
    assert line.y[-1] == pytest.approx(1 / (1 + np.exp(-1)))
    assert np.interp(now.x[0], line.x, line.y) == pytest.approx(now.y[0], abs=1e-4)
    assert not [s for s in fig.layout.shapes if s.line.color == palette.WHATIF]
    corner = flip(by_taste=[1.0, 4.0, -2.0], weights=[1.0, 0.0, 0.0], moved=0, flips_at=None)
    assert named(corner)["P(b)"].y[0] == pytest.approx(1 / (1 + np.exp(-1)))  # (4 - 2) / 2


def test_names_in_titles_are_escaped_once():
    assert flip(a="<b>x</b> & y").layout.title.text == "a: &lt;b&gt;x&lt;/b&gt; &amp; y · b: coffee"
    odd = people().rename_columns([n if n != "town" else "<u>" for n in people().column_names])
    fig = taste_divisions(preferences(persons=odd), by="<u>")
    assert fig.layout.title.text == "Tastes by &lt;u&gt;"
    assert fig.layout.xaxis.title.text == "&lt;u&gt;"


def test_a_new_person_has_a_bar_for_each_taste_with_its_interval():
    fig = taste_place(preferences(3), [0.5, 0.3, 0.2], [0.2, 0.1, 0.2], [0.9, 0.6, 0.3], n=3)
    (bars,) = fig.data
    assert list(bars.x) == ["taste 0", "taste 1", "taste 2"]
    assert np.allclose(bars.y, [0.5, 0.3, 0.2])
    assert np.allclose(bars.error_y.array, [0.4, 0.3, 0.1])
    assert np.allclose(bars.error_y.arrayminus, [0.3, 0.2, 0])
    assert list(bars.marker.color) == list(SHADES.values())
    assert bars.customdata[0] == "0.500 (0.200 to 0.900)"
    assert fig.layout.title.subtitle.text.startswith("3 answers · n 1 234 choices")
    assert fig.layout.title.text == "A new person"
    before = taste_place(preferences(), [0.5, 0.5], [0.1, 0.1], [0.9, 0.9], n=0)
    assert before.layout.title.text == "A new person, before any answer"


def test_an_interval_that_its_mode_lies_outside_has_no_negative_arm():
    (bars,) = taste_place(preferences(), [0.99, 0.01], [0.5, 0.02], [0.98, 0.5], n=1).data
    assert np.allclose(bars.error_y.array, [0, 0.49])
    assert np.allclose(bars.error_y.arrayminus, [0.49, 0])


def test_every_figure_becomes_a_page_of_its_own():
    result = preferences()
    figs = (
        taste_likes(result), taste_divisions(result), taste_divisions(result, by="town"), flip(),
        taste_place(result, [0.5, 0.5], [0.1, 0.1], [0.9, 0.9], n=2),
    )  # fmt: skip
    for fig in figs:
        assert read_provenance(to_html(fig).encode(), "a.html") == result.provenance
        assert "6 people · 5 options · final of &lt;b&gt;m" in fig.layout.title.subtitle.text
