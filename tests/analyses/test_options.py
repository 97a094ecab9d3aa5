"""Where options' vectors come from: a file, a layer, attributes, or a direction of their own."""

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.options import WITHOUT_VECTORS_MOST, option_vectors
from backend.data.dataset import write_dataset
from backend.data.judgements import texts_of
from backend.errors import AnalysisError
from backend.preferences.choices import read_choices
from tests.preferences.worlds import table

ROWS = [("p", "x", "y", "a"), ("q", "z", "x", "b"), ("p", "y", "z", "b"), ("q", "w", "x", "a")]
ASKED = [("p", "x", "y", "a", "one"), ("q", "z", "x", "b", "two"), ("p", "y", "z", "b", "two")]


@pytest.fixture
def vectors(tmp_path):
    def make(items, X, **more):
        columns = {"item": items} | {f"x{i}": X[:, i] for i in range(X.shape[1])} | more
        return write_dataset(tmp_path / "v", pa.table(columns), kind="vectors", name="mine")

    return make


@pytest.fixture
def layer(tmp_path, view_of):
    """A capture of the texts of a table of choices, in which each text has its own vector."""

    def make(made: pa.Table, *, sites=("embed", "final"), d=3):
        texts = texts_of(made, "choices")
        data = write_dataset(tmp_path / "t", texts, kind="text", name="o", text_column="text")
        rng = np.random.default_rng(3)
        X = {site: rng.standard_normal((data.n_rows, d)) for site in sites}
        return view_of(X, dataset=data), texts, X

    return make


def scaled(X):
    centred = X - X.mean(0)
    return centred / np.sqrt(np.square(centred).sum(1).mean())


def test_a_file_gives_each_option_its_own_vector_in_whatever_order(vectors):
    choices = read_choices(table(ROWS))
    names = ["z", "unused", "w", "y", "x"]
    X = np.random.default_rng(0).standard_normal((5, 12))
    found = option_vectors(choices, (), vectors(names, X), inputs="auto", dimensions=0)
    expected = scaled(np.array([X[names.index(item)] for item in choices.items]))
    np.testing.assert_allclose(found.X, expected, atol=1e-12)
    assert found.C is None and found.origin == "mine"


def test_columns_are_ordered_by_number_not_by_letters(vectors):
    X = np.zeros((4, 12))
    X[:, 2], X[:, 10] = [1, 2, 3, 4], [9, 0, 0, 0]
    choices = read_choices(table(ROWS))
    found = option_vectors(choices, (), vectors(["x", "y", "z", "w"], X), inputs="vectors",
                           dimensions=0)  # fmt: skip
    moving = np.flatnonzero(np.ptp(found.X, axis=0) > 0)
    assert moving.tolist() == [2, 10]


def test_vectors_are_centred_and_of_mean_squared_length_one(vectors):
    X = 1e3 + np.random.default_rng(0).standard_normal((4, 6))
    for dimensions in (0, 2):
        found = option_vectors(read_choices(table(ROWS)), (), vectors(list("xyzw"), X),
                               inputs="vectors", dimensions=dimensions)  # fmt: skip
        np.testing.assert_allclose(found.X.mean(0), 0, atol=1e-9)
        assert np.square(found.X).sum(1).mean() == pytest.approx(1)


def test_the_first_principal_components_are_kept(vectors):
    rng = np.random.default_rng(1)
    names = [f"o{i}" for i in range(40)]
    rows = [("p", a, b, "a") for a, b in zip(names[::2], names[1::2], strict=True)]
    X = rng.standard_normal((40, 6)) * [9, 5, 1, 0.1, 0.1, 0.1]
    choices = read_choices(table(rows))
    found = option_vectors(choices, (), vectors(names, X), inputs="vectors", dimensions=3)
    assert found.X.shape == (40, 3) and found.origin == "mine, 3 of 6 dimensions"
    order = [names.index(item) for item in choices.items]
    U, s, _ = np.linalg.svd(X[order] - X[order].mean(0), full_matrices=False)
    expected = scaled(U[:, :3] * s[:3])
    np.testing.assert_allclose(np.abs(found.X), np.abs(expected), atol=1e-9)


def test_a_layer_gives_vectors_by_the_items_names(layer):
    made = table(ROWS)
    view, texts, X = layer(made)
    choices = read_choices(made)
    order = [texts["item"].to_pylist().index(item) for item in choices.items]
    for site in ("embed", "final"):
        found = option_vectors(choices, (view,), None, inputs="layer", site=site, dimensions=0)
        np.testing.assert_allclose(found.X, scaled(X[site][order]), atol=1e-5)
        assert found.origin == f"{site} of made:made"


def test_the_deepest_layer_is_taken_and_the_head_is_not(layer):
    view, _, _ = layer(table(ROWS), sites=("head", "final", "resid_post.0", "embed"))
    found = option_vectors(read_choices(table(ROWS)), (view,), None, inputs="auto", dimensions=0)
    assert found.origin.startswith("final of")


def test_below_prompts_an_option_is_read_with_its_prompt(layer):
    made = table(ASKED, "prompt")
    view, texts, X = layer(made)
    choices, rows = read_choices(made), texts.to_pylist()
    found = option_vectors(choices, (view,), None, inputs="layer", dimensions=0)
    place = {(r["prompt"], r["item"]): n for n, r in enumerate(rows) if r["role"] == "pair"}
    wanted = [place[choices.prompts[choices.item_prompt[i]], item]
              for i, item in enumerate(choices.items)]  # fmt: skip
    np.testing.assert_allclose(found.X, scaled(X["final"][wanted]), atol=1e-5)
    assert len(choices.items) == 5 and found.C is None


def test_pal_b_reads_options_and_prompts_apart(layer):
    made = table(ASKED, "prompt")
    view, texts, X = layer(made)
    choices, rows = read_choices(made), texts.to_pylist()
    found = option_vectors(choices, (view,), None, inputs="layer", dimensions=0, prompts=True)
    alone = {r["item"]: X["final"][n] for n, r in enumerate(rows) if r["role"] == "option"}
    asked = {r["prompt"]: X["final"][n] for n, r in enumerate(rows) if r["role"] == "prompt"}
    np.testing.assert_allclose(
        found.X, scaled(np.array([alone[i] for i in choices.items])), atol=1e-5
    )
    np.testing.assert_allclose(
        found.C, scaled(np.array([asked[p] for p in choices.prompts])), atol=1e-5
    )


@pytest.mark.parametrize("column", ["item", "name"])
def test_rows_that_were_brought_along_name_the_options(tmp_path, view_of, column):
    choices = read_choices(table(ROWS))
    names = ["w", "x", "y", "z"]
    X = np.random.default_rng(0).standard_normal((4, 3))
    given = names if column == "item" else [f"{n}.png" for n in names]
    view = view_of({"final": X}, columns={column: given})
    found = option_vectors(choices, (view,), None, inputs="layer", dimensions=0)
    expected = scaled(np.array([X[names.index(i)] for i in choices.items]))
    np.testing.assert_allclose(found.X, expected, atol=1e-5)


def test_attributes_are_standardised():
    rows = [("p", "m", "n", "a", 1, 2, 100.0, 300.0), ("q", "n", "o", "b", 2, 6, 300.0, 300.0)]
    choices = read_choices(table(rows, "a_size", "b_size", "a_price", "b_price"))
    found = option_vectors(choices, (), None, inputs="auto")
    raw = choices.attributes
    expected = (raw - raw.mean(0)) / raw.std(0)
    np.testing.assert_allclose(found.X, expected / np.sqrt(2), atol=1e-12)
    assert found.origin == "2 attributes, standardised"


def test_an_attribute_that_all_share_says_nothing():
    rows = [("p", "m", "n", "a", 1, 2, 7, 7)]
    choices = read_choices(table(rows, "a_size", "b_size", "a_flat", "b_flat"))
    X = option_vectors(choices, (), None, inputs="attributes").X
    np.testing.assert_allclose(np.abs(X), [[1, 0], [1, 0]])


def test_with_nothing_else_each_option_is_a_direction():
    found = option_vectors(read_choices(table(ROWS)), (), None, inputs="auto")
    np.testing.assert_array_equal(found.X, np.eye(4))
    assert "direction of its own" in found.origin


def test_what_is_there_is_taken_in_this_order(vectors, layer):
    rows = [(*r, 1.0, 2.0 + i) for i, r in enumerate(ROWS)]
    made = table(rows, "a_size", "b_size")
    choices, (view, _, _) = read_choices(made), layer(table(ROWS))
    file = vectors(["w", "x", "y", "z"], np.eye(4))
    assert option_vectors(choices, (view,), file, inputs="auto").origin == "mine"
    assert option_vectors(choices, (view,), None, inputs="auto").origin.startswith("final of")
    assert "attributes" in option_vectors(choices, (), None, inputs="auto").origin
    assert "attributes" in option_vectors(choices, (view,), file, inputs="attributes").origin


def many():
    names = [f"o{i}" for i in range(WITHOUT_VECTORS_MOST + 2)]
    return read_choices(
        table([("p", a, b, "a") for a, b in zip(names[::2], names[1::2], strict=True)])
    )


def test_too_many_options_need_a_description():
    with pytest.raises(AnalysisError, match="Nothing describes the 302 options. Name a model"):
        option_vectors(many(), (), None, inputs="auto")
    with pytest.raises(AnalysisError, match="That takes at most 300 options"):
        option_vectors(many(), (), None, inputs="options")


@pytest.mark.parametrize(
    ("inputs", "remedy"),
    [("vectors", "second table"), ("layer", "Name a model"), ("attributes", "a_NAME and b_NAME")],
)
def test_what_is_not_there_is_said(inputs, remedy):
    with pytest.raises(AnalysisError, match=f"inputs='{inputs}' is not there.*{remedy}"):
        option_vectors(read_choices(table(ROWS)), (), None, inputs=inputs)


def test_refusals_of_a_file(vectors):
    choices, X = read_choices(table(ROWS)), np.random.default_rng(0).standard_normal((2, 3))
    with pytest.raises(AnalysisError, match="mine has no vector for '[wz]' and 1 others"):
        option_vectors(choices, (), vectors(["x", "y"], X), inputs="vectors")
    with pytest.raises(AnalysisError, match="'mine' has two vectors for 'x'"):
        option_vectors(choices, (), vectors(["x", "x"], X), inputs="vectors")
    with pytest.raises(AnalysisError, match="All options have the same vector"):
        option_vectors(choices, (), vectors(list("wxyz"), np.ones((4, 3))), inputs="vectors")


def test_a_layer_with_values_that_are_not_finite_is_refused(tmp_path, view_of):
    X = np.ones((4, 3))
    X[2, 1] = np.inf
    view = view_of({"final": X}, columns={"item": ["w", "x", "y", "z"]})
    with pytest.raises(AnalysisError, match="has values at 'final' that are not finite"):
        option_vectors(read_choices(table(ROWS)), (view,), None, inputs="layer")


def test_rows_without_names_are_refused(view_of):
    view = view_of({"final": np.eye(4)})
    with pytest.raises(AnalysisError, match="'made' does not name its rows. Give it a column item"):
        option_vectors(read_choices(table(ROWS)), (view,), None, inputs="layer")
