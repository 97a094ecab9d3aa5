"""A data folder with rows captured at 31 sites of a small random model, and analysed."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import torch
import transformers
from tiny import WORDS, sentences, write_tokenizer

from backend import CaptureAsk, Workbench
from backend.settings import load_settings

BLOCKS = 30


def build(home: Path, rows: int) -> dict[str, str]:
    """Capture, project and compare; returns the query that opens it on the Compare page."""
    home.mkdir(parents=True)
    model, table = home / "tall", home / "rows.csv"
    _write_model(model)
    texts = [f"{text} {WORDS[i % len(WORDS)]}" for i, text in enumerate(sentences(rows))]
    topics = [f"topic {len(text) % 8}" for text in texts]
    pa.csv.write_csv(pa.table({"text": texts, "topic": topics}), table)
    workbench = Workbench(load_settings(home=home, scheduler="inline"))
    asked = CaptureAsk(str(model), str(table))
    data = workbench.capture(asked).dataset.hash
    for analysis, parameters in (("projection", {"method": "pca"}), ("similarity", {})):
        workbench.run(analysis, model=str(model), data=data, rows=rows, **parameters)
    workbench.close()
    return {"model": str(model), "data": data, "rows": f"{rows}"}


def _write_model(folder: Path) -> None:
    """A Llama of 30 blocks, 32 wide: deep as SmolLM2, and quick."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS) + 4, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        hidden_size=32, num_hidden_layers=BLOCKS, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    write_tokenizer(folder)
