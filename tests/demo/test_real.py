"""Known facts about the real demos, which are downloaded: run only when REAL_DEMOS is set.

REAL_DEMOS names a data folder; what it lacks is downloaded into it (570 MB in all). The variable
has no PENULTIMATE_ prefix because the suite clears those.
"""

import io
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from backend.demo import DEMO, ensure, find
from backend.settings import Settings

pytestmark = pytest.mark.skipif(
    "REAL_DEMOS" not in os.environ, reason="set REAL_DEMOS to a data folder to try the real demos"
)


def real(name):
    if not find(name).is_offered:
        pytest.skip("Debian's tools are not here")
    return ensure(name, Settings(home=Path(os.environ["REAL_DEMOS"])))


@pytest.mark.parametrize("demo", DEMO, ids=lambda demo: demo.name)
def test_size_is_about_what_the_table_says(demo):
    made = real(demo.name)
    folder = made if demo.kind == "model" else made.folder
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert 0.5 < size / demo.disk_bytes < 2


def test_smollm2_knows_the_capital_of_france():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = real("smollm2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    assert model.dtype == torch.float32 and tokenizer.chat_template
    prompts = {"The capital of France is": " Paris", "The capital of Italy is": " Rome"}
    for prompt, answer in prompts.items():
        with torch.inference_mode():
            logits = model(**tokenizer(prompt, return_tensors="pt")).logits[0, -1]
        assert tokenizer.decode([int(logits.argmax())]) == answer
        if answer == " Paris":
            assert float(logits.softmax(-1).max()) == pytest.approx(0.7725, abs=0.003)


def test_minilm_tells_alike_from_unlike():
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = real("minilm")
    texts = ["A man is eating food.", "Someone is having a meal.", "The stock market crashed.",
             "Shares fell sharply."]  # fmt: skip
    batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder)(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
    cosine = (vectors @ vectors.T).numpy()
    assert cosine[0, 1] > 0.6 and cosine[2, 3] > 0.5
    assert cosine[:2, 2:].max() < 0.2


def test_efficientnet_names_17_of_20_photographs():
    import torch
    from PIL import Image

    from backend.models import convnets
    from backend.models.inputs import open_inputs

    folder, dataset = real("efficientnet-lite0"), real("photos")
    net = convnets.from_folder(folder)
    rows = np.arange(20)
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in dataset.media(rows)]
    inputs = open_inputs(folder, "image", net.config)
    with torch.inference_mode():
        logits = net(**inputs.collate(inputs.prepare(pictures, max_tokens=0).samples).inputs)
    true = dataset.take(rows)["class_id"].to_numpy()
    best = logits.topk(5).indices.numpy()
    assert (best[:, 0] == true).sum() == 17
    assert (best == true[:, None]).any(1).sum() == 20
    labels = convnets.read_labels(folder)
    assert len(labels) == 1000
    assert labels[true[0]].startswith(dataset.take(rows)["label"][0].as_py())


@pytest.mark.parametrize("hz", [110.0, 440.0, 880.0])
def test_crepe_hears_a_note(hz):
    import torch

    from backend.models import convnets
    from backend.models.inputs import open_inputs

    net = convnets.from_folder(real("crepe-tiny"))
    time = np.arange(8000) / 16_000
    wave = sum(np.sin(2 * np.pi * hz * k * time) / k for k in (1, 2, 3)).astype(np.float32)
    inputs = open_inputs(real("crepe-tiny"), "audio", net.config)
    with torch.inference_mode():
        logits = net(**inputs.collate(inputs.prepare([wave], max_tokens=0).samples).inputs)
    heard = float(convnets.pitch_hz(logits).median())
    assert abs(1200 * np.log2(heard / hz)) < 25  # cents
    assert float(logits.sigmoid().amax(1).median()) > 0.7


def test_data_sets_hold_what_their_cards_say():
    assert real("news").n_rows == 300
    assert real("mnist").n_rows == 5000
    assert np.bincount(real("mnist").table()["digit"].to_numpy()).tolist() == [500] * 10
    assert real("digits").n_rows == 1797
    assert real("photos").n_rows == 33
    assert real("crops").n_rows == 2970
    films = real("films").table().to_pylist()
    assert len(films) == 9061
    story = films[0]
    assert (story["text"], story["n_ratings"]) == ("Toy Story (1995)", 247)
    facts = {(r["subject"], r["relation"]): r["answer"] for r in real("facts").table().to_pylist()}
    assert len(facts) == 1086
    assert facts["France", "capital"] == "Paris" and facts["Japan", "currency"] == "yen"


def test_photographs_of_games_are_what_their_cards_say():
    stamps, scenes = real("stamps").table(), real("scenes").table()
    assert (stamps.num_rows, scenes.num_rows) == (287, 254)
    captions = dict(zip(stamps["file"].to_pylist(), stamps["caption"].to_pylist(), strict=True))
    assert captions["animals/marsupials/koala.png"] == "A koala."
    assert "animals/mammals/hedgehog.png" not in captions  # a drawing among the photographs
    assert Counter(scenes["category"].to_pylist())["tools"] == 39
    crops = real("photo-crops").table()
    counts = Counter(crops["file"].to_pylist())
    assert 5000 < crops.num_rows <= 6000 and len(counts) == 559 and max(counts.values()) == 12


def test_hops_hold_what_their_card_says():
    rows = real("hops").table().to_pylist()
    counts = Counter((row["relation"], row["hops"]) for row in rows)
    asked = {"capital": 30, "currency": 30, "language": 23, "continent": 30}
    assert counts == {(question, n): asked[question] for question in asked for n in (1, 2, 3)}
    assert len({row["text"] for row in rows}) == len(rows)
    answers = {row["text"]: row["answer"] for row in rows}
    lisbon = "the only country that borders the country whose capital is Lisbon"
    assert answers[f"The capital of {lisbon} is"] == "Madrid"
    assert answers[f"The official language of {lisbon} is"] == "Spanish"
    assert answers["The capital of the country whose currency is the yuan is"] == "Beijing"
    for row in rows:
        assert row["answer"].casefold() not in row["text"].casefold()
    for i in range(0, len(rows), 3):
        assert [row["hops"] for row in rows[i : i + 3]] == [1, 2, 3]
        assert len({row["answer"] for row in rows[i : i + 3]}) == 1


@pytest.mark.parametrize(
    "name, rows, persons, options, taken",
    [
        ("film-choices", 25_000, 625, 1303, 12_595),
        ("trains", 2929, 235, 1785, 1474),
        ("national-goals", 17_920, 3584, 4, None),
        ("listening", 21_924, 40, 8, None),
    ],
)
def test_choices_hold_what_their_cards_say(name, rows, persons, options, taken):
    table = real(name).table()
    assert table.num_rows == rows
    assert len(table["person"].unique()) == persons
    names = set(table["option_a"].to_pylist()) | set(table["option_b"].to_pylist())
    assert len(names) == options
    a = sum(choice == "a" for choice in table["choice"].to_pylist())
    assert a == taken if taken else abs(a / rows - 0.5) < 0.02


def test_the_goals_and_the_modes_are_the_right_way_round():
    def won(name, option):
        pairs = [
            (row["option_a"], row["option_b"], row["choice"])
            for row in real(name).table().to_pylist()
            if option in (row["option_a"], row["option_b"])
        ]
        return np.mean([(a, b)["ab".index(choice)] == option for a, b, choice in pairs])

    assert won("national-goals", "Maintaining order in the nation") == pytest.approx(
        0.689, abs=0.001
    )
    assert won("listening", "Mono") < 0.2 < 0.6 < won("listening", "Stereo")


@pytest.mark.parametrize(
    "name, items, raters, counts",
    [
        ("verbal-aggression", 24, 316, {0: 3973, 1: 2081, 2: 1530}),
        ("lectures", 1128, 2972, {1: 10_186, 2: 12_951, 3: 17_609, 4: 16_921, 5: 15_754}),
        ("film-ratings", 3496, 671, None),
        ("personality", 135, 4000,
         {1: 60_236, 2: 78_927, 3: 78_893, 4: 118_331, 5: 117_473, 6: 86_140}),
    ],
)  # fmt: skip
def test_ratings_hold_what_their_cards_say(name, items, raters, counts):
    table = real(name).table()
    assert len(table["item"].unique()) == items
    assert len(table["rater"].unique()) == raters
    if counts is None:
        assert table.num_rows == 90_072
    else:
        assert Counter(table["rating"].to_pylist()) == counts
