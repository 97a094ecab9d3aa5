"""A file that Facets reads."""

import pyarrow as pa

from backend.rasch.facets_file import facets_text
from backend.rasch.reading import read_ratings


def test_the_whole_file():
    table = pa.table({
        "item": ["a, b", "c", "a, b"], "rater": ["x", "x", "y"], "rating": [1, 2, 3],
    })  # fmt: skip
    lines = facets_text(read_ratings(table), title="Mine").splitlines()
    assert lines[:5] == [
        "Title = Mine", "Facets = 3", "Positive = 1", "Noncenter = 1", "Model = ?,?,#,R2",
    ]  # fmt: skip
    assert "1=a  b" in lines
    assert lines[lines.index("Data =") + 1 :] == ["1,1,1,0", "2,1,1,1", "1,2,1,2"]
    assert lines.count("*") == 3


def test_one_scale_for_all_is_a_question_mark():
    table = pa.table({"item": ["a", "b"], "rater": ["x", "y"], "rating": [0, 1]})
    text = facets_text(read_ratings(table, shared=True), scale="rating_scale")
    assert "Model = ?,?,?,R1\n" in text
