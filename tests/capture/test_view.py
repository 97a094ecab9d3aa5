"""What an analysis reads: rows, vectors and metadata in one order."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from backend.errors import CaptureError
from tests import rigs


@pytest.fixture
def view(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    parts = [
        rigs.capture(
            model, data, tmp_path / str(i), sites=("embed", "final"), pooling="last", rows=rows
        )
        for i, rows in enumerate((np.array([4, 1, 9]), np.array([0, 2])))
    ]
    shards = {s: parts[0].shards[s] + parts[1].shards[s] for s in parts[0].sites}
    return replace(parts[0], shards=shards, n=5)


def test_rows_vectors_and_metadata_are_aligned(view):
    assert view.rows().tolist() == [4, 1, 9, 0, 2]
    assert view.vectors("final").shape == (5, 16)
    texts = view.table()["text"].to_pylist()
    assert texts == view.dataset.texts(view.rows())


def test_the_first_rows_are_a_view_of_their_own(view):
    few = replace(view, n=4)
    assert few.rows().tolist() == [4, 1, 9, 0]
    assert np.array_equal(few.vectors("embed"), view.vectors("embed")[:4])


def test_vectors_are_a_copy(view):
    view.vectors("embed")[:] = 0
    assert view.vectors("embed").any()


def test_a_view_travels(view):
    again = pickle.loads(pickle.dumps(view))
    assert np.array_equal(again.vectors("final"), view.vectors("final"))


def test_a_missing_site_names_those_there_are(view):
    with pytest.raises(CaptureError, match="'head'.*Captured sites: embed, final"):
        view.vectors("head")


def test_token_vectors_are_counted_by_their_rows(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    view = rigs.capture(
        model, data, tmp_path, sites=("final",), pooling="tokens", rows=np.array([3, 8, 5])
    )
    lengths = [len(t.split()) for t in data.texts(np.array([3, 8, 5]))]
    assert view.rows().tolist() == np.repeat([3, 8, 5], lengths).tolist()
    few = replace(view, n=2)
    assert len(few.vectors("final")) == len(few.rows()) == sum(lengths[:2])
    assert few.table().num_rows == sum(lengths[:2])
