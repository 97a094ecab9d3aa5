"""The model and the texts that are measured: SmolLM2-135M in float32 and news, both demos."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.data.dataset import Dataset, write_dataset
from backend.demo import ensure
from backend.models.sources import ModelSource, from_folder
from backend.settings import Settings, load_settings

BUDGET = 1024  # padded tokens in a batch: what captures use on a CPU
SEED = 0


@dataclass(frozen=True)
class Texts:
    """Texts with the length at which they are cut, and the peers' fixed batch size."""

    dataset: Dataset
    max_tokens: int
    batch: int  # texts; the longest text times this is BUDGET


def settings() -> Settings:
    """Where the demos lie: PENULTIMATE_HOME, or the place of the installed program."""
    return load_settings(scheduler="inline")


def smollm2() -> ModelSource:
    """The language model, fetched and converted on the first use."""
    where = settings()
    folder = ensure("smollm2", where, lambda *_: None)
    assert isinstance(folder, Path)
    return from_folder("demo:smollm2", folder, settings=where)


def news() -> list[str]:
    """300 articles, 63 to 784 tokens each."""
    made = ensure("news", settings(), lambda *_: None)
    assert isinstance(made, Dataset)
    return made.texts(np.arange(made.n_rows))


def even(folder: Path, n: int) -> Texts:
    """Articles cut at 64 tokens: next to no padding, so only the method differs."""
    return Texts(_write(folder, news()[:n]), 64, BUDGET // 64)


def mixed(folder: Path, n: int) -> Texts:
    """Three sentences to one article cut at 128 tokens, shuffled: as texts arrive."""
    articles = news()
    sentences = [s for a in articles for s in re.split(r"(?<=[.!?]) ", a) if len(s) > 20]
    generator = np.random.default_rng(SEED)
    short = generator.choice(sentences, n - n // 4, replace=False).tolist()
    long = generator.choice(articles, n // 4, replace=False).tolist()
    texts = generator.permutation([*short, *long]).tolist()
    return Texts(_write(folder, texts), 128, BUDGET // 128)


def short(folder: Path, n: int) -> Texts:
    """Four words each, all of them different: many rows in little time."""
    words = " ".join(news()).split()
    return Texts(_write(folder, [" ".join(words[i : i + 4]) for i in range(n)]), 64, 16)


def _write(folder: Path, texts: list[str]) -> Dataset:
    table = pa.table({"text": texts})
    return write_dataset(folder, table, kind="text", name="benchmark", text_column="text")
