"""Which texts a language model reads: rows of the data or typed ones, as tokens, in batches."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.capture.request import stored_order
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

LITERAL = -1  # the row of a text that was typed in
_BATCH_TOKENS = 1024  # padding included
_FULL = 0.75  # the shortest text of a batch has at least this share of the longest one's tokens


@dataclass(frozen=True)
class Prompt:
    """A text as the model reads it."""

    row: int  # of the data set; LITERAL for a typed text
    text: str
    ids: tuple[int, ...]


def choose_prompts(
    views: Sequence[CaptureView], model: "LoadedModel", *, text: str, prompts: int, length: int
) -> list[Prompt]:
    """The texts to read, each cut to its first tokens.

    Parameters
    ----------
    text : typed texts instead of rows; lines that hold only `---` part one from the next.
    prompts : rows to take: the first ones of the stored order, which are a uniform sample.
    length : tokens to keep of each, special tokens included.

    Raises
    ------
    ModelError : the model does not predict next tokens.
    AnalysisError : there is no text to read.
    """
    model.check_decoder()
    if text:
        texts = _typed(text)
        rows = [LITERAL] * len(texts)
    else:
        data = text_data(views)
        order = stored_order(data.n_rows)[: min(prompts, views[0].n)]
        rows, texts = order.tolist(), data.texts(order)
    samples = model.inputs.prepare(texts, max_tokens=length).samples
    return [Prompt(r, t, tuple(i)) for r, t, i in zip(rows, texts, samples, strict=True)]


def text_data(views: Sequence[CaptureView]) -> Dataset:
    """The data set if it holds texts; AnalysisError otherwise."""
    if not views:
        raise AnalysisError("There is nothing to read.", "Give a text, or a data set of texts.")
    data = views[0].dataset
    if data.kind != "text" or data.text_column is None:
        raise AnalysisError(
            f"{data.name!r} holds {data.kind} rows, not texts.", "Give a text, or text data."
        )
    return data


def _typed(text: str) -> list[str]:
    """One text as it is, or several without the line breaks around them."""
    parts = re.split(r"^[ \t]*---[ \t]*$", text, flags=re.MULTILINE)
    found = parts if len(parts) == 1 else [part.strip("\r\n") for part in parts]
    found = [part for part in found if part.strip()]
    if not found:
        raise AnalysisError(f"The text {text!r} holds no words.", "Give a text, or leave it out.")
    return found


def in_batches(prompts: Sequence[Prompt], *, tokens: int = _BATCH_TOKENS) -> Iterator[list[Prompt]]:
    """Texts of similar length together, the longest first.

    Parameters
    ----------
    tokens : rows times longest row of a batch, at the most; a text that is longer goes alone.
    """
    batch: list[Prompt] = []
    for prompt in sorted(prompts, key=lambda p: -len(p.ids)):
        longest = len(batch[0].ids) if batch else 0
        too_many = (len(batch) + 1) * longest > tokens
        if batch and (too_many or len(prompt.ids) < _FULL * longest):
            yield batch
            batch = []
        batch.append(prompt)
    if batch:
        yield batch


def with_answer(
    model: "LoadedModel", question: str, answer: str, *, length: int
) -> tuple[tuple[int, ...], int] | None:
    """A question and its answer as tokens, and where the answer begins.

    The answer begins at the first token that the question alone does not have there, since a
    tokenizer may join the question's last letters with the answer's first; a token that is only a
    space before the answer counts as the question's.

    Returns
    -------
    Token ids and the position of the answer's first token; None when they exceed `length` tokens.
    """
    question = question.rstrip()
    pair = [question, f"{question} {answer.strip()}"]
    prepared = model.inputs.prepare(pair, max_tokens=length)
    if prepared.truncated:
        return None
    alone, both = prepared.samples
    apart = (i for i, (a, b) in enumerate(zip(alone, both, strict=False)) if a != b)
    start = next(apart, min(len(alone), len(both)))
    while start + 1 < len(both) and not model.tokens([both[start]])[0].strip():
        start += 1
    return tuple(both), start
