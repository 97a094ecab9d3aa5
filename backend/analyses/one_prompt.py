"""One prompt with one answer, as a language model reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.prompts import LITERAL, text_data, with_answer
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

_ANSWER = "answer"  # the data's column
_AHEAD = 4  # tokens to look for one that is more than space
_NEEDED = "Set text to a prompt, or row to a row of the data, such as 0."


@dataclass(frozen=True)
class Asked:
    """A prompt with its answer. `ids` is what the model reads: all but the answer's last token."""

    row: int  # of the data set; LITERAL for a typed text
    text: str
    ids: tuple[int, ...]
    answer: tuple[int, ...]
    note: str = ""

    @property
    def predicts(self) -> range:
        """The positions whose next token belongs to the answer."""
        return range(len(self.ids) - len(self.answer), len(self.ids))

    @property
    def inputs(self) -> range:
        """The positions that a claim looks at: without token 0 and those that predict."""
        return range(1, self.predicts.start)


def ask(
    views: Sequence[CaptureView], model: "LoadedModel", *, text: str, row: int, answer: str,
    length: int,
) -> Asked:  # fmt: skip
    """The prompt and its answer: as given, as the data has it, or the model's own.

    Raises
    ------
    AnalysisError : no prompt is given, or it and its answer do not fit `length` tokens.
    DataError : the row is not in the data.
    """
    if not text.strip() and row < 0:
        raise AnalysisError("No prompt is given.", _NEEDED)
    if not text.strip():
        data = text_data(views)
        (line,) = data.take(np.array([row])).to_pylist()
        text = line[data.text_column] or ""
        if not text.strip():
            raise AnalysisError(f"Row {row} of {data.name!r} holds no words.", _NEEDED)
        if not answer.strip() and line.get(_ANSWER) is not None:
            answer = str(line[_ANSWER])
    else:
        row = LITERAL
    if not answer.strip():
        return _own_answer(model, row, text, length)
    found = with_answer(model, text, answer, length=length)
    if found is None:
        raise AnalysisError(
            f"The prompt and its answer have more than {length} tokens (length={length}).",
            "Shorten the prompt, or set length higher.",
        )
    ids, start = found
    if not 0 < start < len(ids):
        raise AnalysisError(
            f"In the tokens of this prompt the answer {answer!r} does not stand on its own.",
            "Give another answer, or a longer prompt.",
        )
    return Asked(row, text, ids[:-1], ids[start:])


def _own_answer(model: "LoadedModel", row: int, text: str, length: int) -> Asked:
    """The prompt with the first token that the model would say; spaces before it are read."""
    import torch

    prepared = model.inputs.prepare([text], max_tokens=length)
    ids = list(prepared.samples[0])
    cut = f"The prompt was cut to its first {len(ids)} tokens. " if prepared.truncated else ""
    said: list[int] = []
    with torch.inference_mode():
        while not said or (len(said) < _AHEAD and not model.tokens(said[-1:])[0].strip()):
            read = torch.tensor([ids + said], device=model.device.name)
            said.append(int(model.head_logits(model.trunk(input_ids=read)[0][0, -1]).argmax()))
    if not model.tokens(said[-1:])[0].strip():
        said = said[:1]
    word = model.tokens(said[-1:])[0]
    note = f"{cut}No answer was given: it is the model's own first choice, {word!r}."
    return Asked(row, text, (*ids, *said[:-1]), (said[-1],), note)
