"""Which texts are read, how they are cut, and how they are put together in batches."""

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.prompts import Prompt, choose_prompts, in_batches, with_answer
from backend.capture.request import stored_order
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset, write_dataset
from backend.errors import AnalysisError, ModelError
from tests import rigs


def view(data: Dataset, n: int = 0) -> CaptureView:
    """A request that captured nothing."""
    return CaptureView("made", "made", data, "last", "float32", n or data.n_rows, {})


def choose(views=(), family="llama", **given):
    options = {"text": "", "prompts": 4, "length": 64} | given
    return choose_prompts(views, rigs.open_model(family), **options)


def test_rows_are_the_first_of_the_stored_order():
    data = rigs.dataset("text")
    found = choose((view(data),))
    assert [p.row for p in found] == stored_order(20)[:4].tolist()
    assert [p.text for p in found] == data.texts(stored_order(20)[:4])
    assert [p.row for p in choose((view(data, 2),))] == stored_order(20)[:2].tolist()
    assert len(choose((view(data),), prompts=99)) == 20


def test_typed_texts_are_parted_by_dashes_and_cut_to_the_length():
    one = choose(text="the dog --- runs ")
    assert [(p.row, p.text) for p in one] == [(-1, "the dog --- runs ")]
    several = choose(text="the dog runs\n---\na cat\nsleeps\n\n ---  \n\n", length=2)
    assert [p.text for p in several] == ["the dog runs", "a cat\nsleeps"]
    assert [len(p.ids) for p in several] == [2, 2]
    words = rigs.open_model("llama").tokens(list(several[0].ids))
    assert words == ["the", "dog"]


def test_what_cannot_be_read_is_refused():
    with pytest.raises(ModelError, match="does not predict next tokens"):
        choose(family="bert", text="the dog")
    with pytest.raises(AnalysisError, match="nothing to read"):
        choose()
    with pytest.raises(AnalysisError, match="image rows"):
        choose((view(rigs.dataset("image")),))
    for text in (" ", "---", "\n---\n---\n"):
        with pytest.raises(AnalysisError, match="holds no words"):
            choose(text=text)


def test_batches_hold_texts_of_similar_length_within_the_budget():
    lengths = np.random.default_rng(0).integers(1, 70, 50).tolist() + [300]
    prompts = [Prompt(i, "", tuple(range(n))) for i, n in enumerate(lengths)]
    batches = list(in_batches(prompts, tokens=256))
    assert sorted(p.row for b in batches for p in b) == list(range(51))
    for batch in batches:
        sizes = [len(p.ids) for p in batch]
        assert max(sizes) * len(sizes) <= 256 or len(sizes) == 1
        assert min(sizes) >= 0.75 * max(sizes)
    assert len(batches[0]) == 1 and len(batches) < 20 and list(in_batches([])) == []


def test_an_answer_begins_where_the_question_ends():
    model = rigs.open_model("llama")
    ids, start = with_answer(model, "the capital of france is ", " paris .", length=64)
    assert model.tokens(list(ids[start:])) == ["paris", "."] and start == 5
    assert with_answer(model, "the capital of france is", "paris", length=5) is None


class Letters:
    """A tokenizer that joins b with a space after it, and gives other spaces alone."""

    words = {"ab": 0, "a": 1, "b": 2, " ": 3, "b ": 4}

    def prepare(self, texts, *, max_tokens):
        from backend.models.inputs import Prepared

        samples = []
        for text in texts:
            ids, at = [], 0
            while at < len(text):
                word = text[at : at + 2] if text[at : at + 2] in self.words else text[at]
                ids.append(self.words[word])
                at += len(word)
            samples.append(ids)
        return Prepared(samples, np.array([len(s) for s in samples]))


def test_joined_letters_and_a_space_of_its_own_move_the_start():
    class Model:
        inputs = Letters()

        def tokens(self, ids):
            return [list(Letters.words)[i] for i in ids]

    ids, start = with_answer(Model(), "aba", "b", length=9)
    assert ids == (0, 1, 3, 2) and start == 3
    ids, start = with_answer(Model(), "bb", "ab", length=9)
    assert ids == (2, 4, 0) and start == 1


def test_rows_without_a_text_column_are_refused(tmp_path):
    table = pa.table({"label": ["a", "b"]})
    data = write_dataset(tmp_path, table, kind="text", name="bare")
    with pytest.raises(AnalysisError, match="'bare' holds"):
        choose((view(data),))
