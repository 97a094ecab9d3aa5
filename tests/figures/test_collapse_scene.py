"""Three classes in their plane: places, the ideal triangle, heads, and a frame that stays."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from backend.collapse.geometry import CORNERS
from backend.errors import AnalysisError
from backend.figures import collapse_plane, palette
from tests.figures.collapse_results import CLASSES, collapse

CAT = "&lt;b&gt;cat&lt;/b&gt;"


def marks(fig, name: str) -> list:
    """Samples, mean and head of a class."""
    return [t for t in fig.data if t.legendgroup == name]


def test_samples_means_and_heads_stand_where_the_table_says():
    fig = collapse_plane(collapse(), epoch=50)
    for name, corner in zip((CAT, *CLASSES[1:3]), CORNERS, strict=True):
        samples, mean, head = marks(fig, name)
        far = np.hypot(np.array(samples.x) - corner[0], np.array(samples.y) - corner[1])
        assert far == pytest.approx(5 / 3**5, abs=1e-5) and len(samples.x) == 8
        assert (mean.x[0], mean.y[0]) == pytest.approx(tuple(corner), abs=1e-6)
        assert list(head.x) == pytest.approx([0, 0.8 * corner[0]], abs=1e-6)  # from the middle
        assert head.marker.symbol == "arrow" and head.marker.angleref == "previous"
        assert samples.marker.color == mean.marker.color == head.line.color


def test_the_ideal_triangle_and_the_classes_at_its_corners():
    fig = collapse_plane(collapse(), epoch=0)
    ideal = next(t for t in fig.data if t.name == "ideal triangle")
    assert np.allclose(np.c_[ideal.x, ideal.y], [*CORNERS, CORNERS[0]])
    names = next(t for t in fig.data if t.mode == "text")
    assert names.text == (CAT, "dog", "hen") and names.y[0] > 1


def test_a_class_has_the_colour_it_has_among_all_classes():
    fig = collapse_plane(collapse(), epoch=0)
    known = palette.category_colours(CLASSES)
    assert marks(fig, "hen")[1].marker.color == known["hen"]


def test_the_frame_is_the_same_at_every_epoch_and_says_what_it_does_not_hold():
    first, last = (collapse_plane(collapse(), epoch=e) for e in (0, 50))
    assert first.layout.xaxis.range == last.layout.xaxis.range == (-2.4, 2.4)
    assert first.layout.yaxis.scaleanchor == "x"
    x = np.concatenate([marks(first, n)[0].x for n in (CAT, "dog", "hen")])
    y = np.concatenate([marks(first, n)[0].y for n in (CAT, "dog", "hen")])
    out = int((np.maximum(abs(x), abs(y)) > 2.4).sum())
    assert out and f"{out} of 24 dots out of the frame" in first.layout.title.subtitle.text
    assert "out of the frame" not in last.layout.title.subtitle.text


def test_without_a_head_there_are_no_arrows():
    import pyarrow.compute as pc

    table = collapse().tables["plane"]
    fig = collapse_plane(collapse(plane=table.filter(pc.not_equal(table["kind"], "head"))), epoch=0)
    assert len(marks(fig, "dog")) == 2
    assert "arrows" not in fig.layout.title.subtitle.text


def test_what_cannot_be_drawn_is_said():
    result = collapse()
    with pytest.raises(AnalysisError, match="Epoch 3 was not kept"):
        collapse_plane(result, epoch=3)
    del result.tables["plane"]
    with pytest.raises(AnalysisError, match="no plane of three classes"):
        collapse_plane(result, epoch=0)


def test_a_result_of_one_moment_names_no_epoch():
    many = collapse()
    end = max(many.tables["trajectory"]["epoch"].to_pylist())
    course = many.tables["trajectory"]
    last = course.filter(pc.equal(course["epoch"], end))
    one = replace(many, tables=many.tables | {"trajectory": last})
    assert collapse_plane(many, epoch=end).layout.title.text.endswith(f", epoch {end}")
    assert "epoch" not in collapse_plane(one, epoch=end).layout.title.text
