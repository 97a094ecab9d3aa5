"""Options, tastes and people in one plane, and people between three tastes."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import palette, read_provenance, taste_map, taste_ternary, to_html
from tests.figures.taste_results import PEOPLE, options, people, preferences


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_options_people_and_prototypes_stand_where_the_tables_say():
    result = preferences()
    drawn = named(taste_map(result))
    assert set(drawn) == {"options", "taste 0", "taste 1", "hull", "tastes"}
    assert np.allclose(drawn["options"].x, result.tables["options"]["x"].to_numpy())
    assert np.allclose(drawn["options"].y, result.tables["options"]["y"].to_numpy())
    assert list(drawn["taste 0"].x) == [0, 1, 4, 5] and list(drawn["taste 1"].x) == [2, 3]
    assert list(drawn["taste 1"].y) == [4, 9]
    assert list(drawn["tastes"].x) == [0, 2] and list(drawn["tastes"].y) == [0, 1]
    assert list(drawn["hull"].x) == [2, 0, None]


def test_distances_across_and_up_are_alike():
    assert taste_map(preferences()).layout.yaxis.scaleanchor == "x"


def test_what_is_clicked_says_what_it_is():
    drawn = named(taste_map(preferences()))
    assert drawn["options"].customdata[1] == ["option", "coffee"]
    assert drawn["taste 0"].customdata[0] == ["person", PEOPLE[0]]
    assert drawn["tastes"].customdata[1] == ["prototype", 1]


def test_a_taste_has_one_colour_for_its_people_and_its_prototype():
    drawn = named(taste_map(preferences(3)))
    shades = palette.category_colours(["0", "1", "2"])
    assert list(drawn["tastes"].marker.color) == list(shades.values())
    assert drawn["taste 0"].marker.color == shades["0"]
    assert drawn["taste 1"].marker.color == shades["1"]
    assert drawn["options"].marker.color == palette.UNSELECTED


def test_people_are_coloured_by_a_scale_or_by_a_column_of_theirs():
    drawn = named(taste_map(preferences(), colour="entropy"))
    assert np.allclose(drawn["people"].marker.color, np.linspace(0, 1, 6))
    assert drawn["people"].marker.showscale
    drawn = named(taste_map(preferences(), colour="town"))
    assert list(drawn["town here"].x) == [0, 1, 5]
    assert drawn[f"town {palette.MISSING}"].marker.color == palette.UNSELECTED
    assert list(drawn[f"town {palette.MISSING}"].x) == [4]


def test_of_many_groups_the_rest_is_grey():
    n = 24
    towns = [f"t{min(i, 11):02}" for i in range(n)]
    many = people().take([i % 6 for i in range(n)])
    at = many.column_names.index("town")
    drawn = named(taste_map(preferences(persons=many.set_column(at, "town", [towns])),
                            colour="town"))  # fmt: skip
    assert drawn[palette.OTHER].marker.color == palette.CONTROL
    dots = [t for name, t in drawn.items() if name.startswith("town ") or name == palette.OTHER]
    assert len(dots) == 11 and sum(len(t.x) for t in dots) == n


def test_the_selected_are_framed():
    fig = taste_map(preferences(), person="dee", option="milk")
    option, person = [t for t in fig.data if t.name == "selected"]
    assert (option.x[0], option.marker.symbol) == (0, "square-open")
    assert option.y[0] == pytest.approx(0.2)
    assert (person.x[0], person.y[0], person.marker.symbol) == (3, 9, "circle-open")
    assert option.marker.color == person.marker.color == palette.SELECTED
    absent = taste_map(preferences(), person="nobody", option="wine")
    assert "selected" not in named(absent)


def test_names_cannot_bring_markup():
    drawn = named(taste_map(preferences()))
    assert drawn["options"].text[0] == "&lt;i&gt;tea&lt;/i&gt;"
    assert drawn["taste 0"].hovertext[0].startswith("&lt;b&gt;ann&lt;/b&gt;<br>")
    assert "likes &lt;i&gt;tea" in drawn["tastes"].hovertext[0]
    assert "<i>" not in "".join(drawn["options"].hovertext)
    small = taste_map(preferences()).layout.title.subtitle.text
    assert "drinks &amp; &lt;b&gt;people" in small and "final of &lt;b&gt;m" in small


def test_a_dot_says_weights_with_intervals_choices_and_hits():
    drawn = named(taste_map(preferences()))
    first, second = drawn["taste 0"].hovertext[:2]
    assert second.split("<br>") == [
        "bob", "taste 0: 0.800 (0.750 to 0.850)", "taste 1: 0.200 (0.150 to 0.250)",
        "20 choices", "held out: 0.750 right of 4",
    ]  # fmt: skip
    assert "held out" not in first  # nothing of hers was
    assert "50.0 % of the weight" in drawn["tastes"].hovertext[0]


def test_few_options_are_named_and_thousands_go_to_the_graphics_card():
    few = named(taste_map(preferences()))["options"]
    assert few.type == "scatter" and few.mode == "markers+text" and len(few.text) == 5
    many = options().take(np.arange(5001) % 5)
    drawn = named(taste_map(preferences(options=many)))["options"]
    assert drawn.type == "scattergl" and drawn.mode == "markers" and len(drawn.x) == 5001
    crowd = people().take(np.arange(5001) % 6)
    assert named(taste_map(preferences(persons=crowd)))["taste 0"].type == "scattergl"


def test_one_taste_has_no_hull():
    drawn = named(taste_map(preferences(1)))
    assert len(drawn["hull"].x) == 0 and len(drawn["tastes"].x) == 1


def test_a_ternary_has_the_weights_and_frames_the_selected():
    fig = taste_ternary(preferences(3), person="cem")
    drawn = named(fig)
    assert {t.type for t in fig.data} == {"scatterternary"}
    assert np.allclose(drawn["taste 0"].a, [0.9, 0.8, 0.5, 0.6])
    assert np.allclose(drawn["taste 1"].b, [0.35, 0.4])  # cem and dee: the rest, shared
    assert np.allclose(drawn["taste 1"].a + drawn["taste 1"].b + drawn["taste 1"].c, 1)
    assert np.allclose([drawn["selected"].a[0], drawn["selected"].b[0]], [0.3, 0.35])
    assert drawn["selected"].marker.color == palette.SELECTED
    assert [fig.layout.ternary[f"{s}axis"].title.text for s in "abc"] == [
        "taste 0", "taste 1", "taste 2"
    ]  # fmt: skip


def test_a_ternary_takes_three_tastes():
    with pytest.raises(AnalysisError, match=r"shows three tastes. Choose k=3"):
        taste_ternary(preferences(4))
    with pytest.raises(AnalysisError, match="'persons' has no column weight_2"):
        taste_ternary(preferences(2))


def test_what_is_missing_is_said():
    with pytest.raises(AnalysisError, match="People have no column 'age'. They have: person, n"):
        taste_map(preferences(), colour="age")
    result = preferences(prototypes=pa.table({"prototype": [0], "x": [0.0], "y": [0.0]}))
    with pytest.raises(AnalysisError, match="'prototypes' has no column share"):
        taste_map(result)
    del result.tables["options"]
    with pytest.raises(AnalysisError, match="no table 'options'"):
        taste_map(result)


def test_options_that_are_rewarded_only_under_prompts_have_a_map_too():
    bare = preferences().tables["prototypes"].drop_columns(["likes", "dislikes"])
    drawn = named(taste_map(preferences(prototypes=bare)))
    assert drawn["tastes"].hovertext[0] == "taste 0: 50.0 % of the weight"


@pytest.mark.parametrize("draw", [taste_map, taste_ternary])
def test_the_small_print_and_the_file_say_where_it_comes_from(draw):
    result = preferences(3)
    fig = draw(result)
    small = fig.layout.title.subtitle.text
    assert "n 1 234 choices · 6 people · 5 options · " in small and "seed 7" in small
    assert [a.text for a in fig.layout.annotations if a.name == "footer"] == [
        "penultimate 0123456789ab"
    ]
    assert read_provenance(to_html(fig).encode(), "a.html") == result.provenance
