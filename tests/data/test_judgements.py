"""Tables of judgements: told by their columns, cleaned, and turned into texts for a model."""

import numpy as np
import pyarrow as pa
import pytest

from backend.data.judgements import judged_kind, take_judgements, texts_of
from backend.data.sources import read_data
from backend.data.tables import TableRead
from backend.errors import DataError
from backend.settings import Settings


@pytest.fixture
def read(tmp_path):
    def run(text: str, **options):
        path = tmp_path / "judged.csv"
        path.write_text(text)
        settings = Settings(home=tmp_path / "home")
        return read_data(path, root=tmp_path / "root", settings=settings, **options)

    return run


def take(columns: dict, kind):
    return take_judgements(TableRead(pa.table(columns), (), ()), kind, where="t.csv")


CHOICES = "person,option_a,option_b,choice"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["person", "option_a", "option_b", "choice"], "choices"),
        (["choice", "age", "Option B", " option_a", "PERSON"], "choices"),
        (["item", "rater", "rating"], "ratings"),
        (["rating", "criterion", "rater", "item", "text"], "ratings"),
        (["comment_id", "annotator_id", "sentiment", "respect", "hatespeech", "x"], "ratings"),
        (["item", "x0", "x1"], "vectors"),
        (["item", "x1"], None),
        (["person", "option_a", "option_b"], None),
        (["text", "label"], None),
        ([], None),
    ],
)
def test_tables_are_told_by_their_columns(names, kind):
    assert judged_kind(names) == kind


def test_a_file_of_choices_is_a_data_set_of_choices(read):
    found = read("Person,OPTION_A,Option B,choice,Age\np,x,y,a,31\nq,y,x,b,40\n")
    assert (found.kind, found.n_rows, found.text_column) == ("choices", 2, None)
    assert found.columns == ("person", "option_a", "option_b", "choice", "Age")
    assert found.table()["row"].to_pylist() == [0, 1]
    assert any(note.startswith("Read as choices between two options") for note in found.notes)


def test_a_named_text_column_makes_it_a_set_of_texts(read):
    found = read(f"{CHOICES},why\np,x,y,a,because\n", text_column="why")
    assert found.kind == "text" and found.text_column == "why"


def test_a_file_of_ratings_and_a_file_of_vectors(read):
    ratings = read("item,rater,rating\none,r,3\ntwo,r,good\n")
    assert ratings.kind == "ratings" and ratings.table()["rating"].to_pylist() == ["3", "good"]
    vectors = read("item,x1,x0\none,0.5,1\ntwo,2,3\n")
    assert vectors.kind == "vectors" and vectors.n_rows == 2
    assert set(vectors.columns) == {"item", "x0", "x1"}


def test_rows_without_a_value_are_left_out_and_listed(read):
    found = read(f"{CHOICES}\np,x,y,a\n,x,y,a\np,  ,y,b\np,x,y,\nq,x,y,b\n")
    assert found.n_rows == 2 and found.table()["person"].to_pylist() == ["p", "q"]
    assert "3 of 5 rows were left out: a value is missing." in found.notes
    assert [why for _, why in found.rejected] == ["a value is missing"] * 3
    assert [where for where, _ in found.rejected] == ["row 1", "row 2", "row 3"]


def test_a_missing_prompt_or_covariate_is_no_reason_to_leave_a_row_out(read):
    found = read(f"{CHOICES},prompt,age\np,x,y,a,,\nq,x,y,b,why,40\n")
    assert found.n_rows == 2 and found.rejected == ()


def test_vectors_need_every_coordinate():
    found = take({"item": ["a", "b"], "x0": [1.0, None], "x1": [2, 3]}, "vectors")
    assert found.table["item"].to_pylist() == ["a"]


@pytest.mark.parametrize(
    ("columns", "kind", "said"),
    [
        ({"person": ["p"], "Person": ["q"], "option_a": ["x"], "option_b": ["y"], "choice": ["a"]},
         "choices", "t.csv has two columns named 'person'"),
        ({"item": ["a", ""], "rater": ["", "r"], "rating": [1, 2]}, "ratings",
         "t.csv has no row with a value in each of: item, rater, rating"),
        ({"item": ["a"], "x0": [1.0], "x2": [1.0]}, "vectors", "t.csv has no column 'x1'"),
        ({"item": ["a"], "x0": ["one"]}, "vectors", "Column 'x0' of t.csv holds string"),
    ],
)  # fmt: skip
def test_refusals(columns, kind, said):
    with pytest.raises(DataError, match=said):
        take(columns, kind)


# What a model reads


def test_each_option_is_read_once():
    table = pa.table({"option_a": ["x", "y", "x"], "option_b": ["y", "z", "z"]})
    got = texts_of(table, "choices")
    assert sorted(got["text"].to_pylist()) == ["x", "y", "z"]
    assert got["text"].to_pylist() == got["item"].to_pylist()
    assert set(got["role"].to_pylist()) == {"option"}


def test_numbers_as_options_are_read_as_text():
    got = texts_of(pa.table({"option_a": [1, 2], "option_b": [2, 3]}), "choices")
    assert got["text"].to_pylist() == ["1", "2", "3"]


def test_prompts_options_and_each_option_below_its_prompt():
    table = pa.table({"option_a": ["x", "x"], "option_b": ["y", "z"], "prompt": ["one", None]})
    got = texts_of(table, "choices").to_pylist()
    by = {role: [r for r in got if r["role"] == role] for role in ("pair", "option", "prompt")}
    assert {(r["prompt"], r["item"], r["text"]) for r in by["pair"]} == {
        ("one", "x", "one\nx"), ("one", "y", "one\ny"), ("", "x", "\nx"), ("", "z", "\nz"),
    }  # fmt: skip
    assert [(r["item"], r["prompt"], r["text"]) for r in by["option"]] == [
        (name, None, name) for name in ("x", "y", "z")
    ]
    assert [(r["item"], r["prompt"], r["text"]) for r in by["prompt"]] == [
        (None, "one", "one"), (None, "", ""),
    ]  # fmt: skip


def test_a_long_table_in_pieces_has_the_same_texts():
    rng = np.random.default_rng(0)
    names = np.array([f"o{i}" for i in range(40)])
    whole = pa.table({side: names[rng.integers(40, size=500)] for side in ("option_a", "option_b")}
                     | {"prompt": np.array(["p", "q"])[rng.integers(2, size=500)]})  # fmt: skip
    pieces = pa.concat_tables([whole.slice(i, 50) for i in range(0, 500, 50)])
    assert (
        texts_of(whole, "choices")
        .sort_by("text")
        .equals(texts_of(pieces, "choices").sort_by("text"))
    )


def test_items_of_ratings_have_the_first_text_or_their_name():
    table = pa.table({"item": [1, 1, 2, 3], "text": ["first", "second", None, "third"]})
    got = texts_of(table, "ratings")
    assert dict(zip(got["item"].to_pylist(), got["text"].to_pylist(), strict=True)) == {
        "1": "first", "2": "2", "3": "third",
    }  # fmt: skip
    bare = texts_of(pa.table({"item": ["a", "b", "a"]}), "ratings")
    assert bare["text"].to_pylist() == ["a", "b"]
    wide = texts_of(pa.table({"comment_id": [7, 7], "text": ["hi", "hi"]}), "ratings")
    assert wide.to_pylist() == [{"text": "hi", "item": "7", "role": "item"}]
