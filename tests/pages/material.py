"""A small world for the pages: two language models, one of images, texts with labels, pictures."""

import csv
import io
import math
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tiny import sentences, write_model

ROWS = 48
SUBJECTS = ("animals", "cities", "colours")


@dataclass(frozen=True)
class World:
    """References that a page's URL can name."""

    folder: Path

    @property
    def llama(self) -> str:
        return str(self.folder / "llama")

    @property
    def bert(self) -> str:
        return str(self.folder / "bert")

    @property
    def vit(self) -> str:
        return str(self.folder / "vit")

    @property
    def texts(self) -> str:
        return str(self.folder / "texts.csv")

    @property
    def images(self) -> str:
        return str(self.folder / "images.zip")

    @property
    def choices(self) -> str:
        return str(self.folder / "choices.csv")

    @property
    def ratings(self) -> str:
        return str(self.folder / "ratings.csv")


def write_world(folder: Path) -> World:
    """Models and data as files; nothing is captured yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("llama", "bert", "vit"):
        write_model(kind, folder / kind)
    write_texts(folder / "texts.csv", ROWS)
    write_images(folder / "images.zip")
    write_choices(folder / "choices.csv")
    write_ratings(folder / "ratings.csv")
    return World(folder)


def write_texts(path: Path, n: int, *, seed: int = 0) -> Path:
    """A table of n short texts with a subject (3 kinds) and a length (a number)."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "subject", "words"])
        for i, text in enumerate(sentences(n, seed=seed)):
            rows.writerow([text, SUBJECTS[i % 3], len(text.split())])
    return path


def write_images(path: Path, n: int = 24) -> Path:
    """A zip of small pictures of one colour each, in folders that are their labels."""
    from PIL import Image

    shades = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 220)}
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(n):
            name = list(shades)[i % 3]
            shade = tuple(max(0, min(255, c + 7 * (i // 3) - 20)) for c in shades[name])
            picture = io.BytesIO()
            Image.new("RGB", (32, 32), shade).save(picture, "PNG")
            archive.writestr(f"{name}/{i:02d}.png", picture.getvalue())
    return path


def write_choices(path: Path, *, people: int = 24, each: int = 30) -> Path:
    """Two tastes: odd people like what is sweet and not sour, even ones the reverse; 40 dishes."""
    rng = random.Random(0)
    names = list(dict.fromkeys(sentences(60, seed=3)))[:40]
    dishes = [(name, rng.gauss(0, 1), rng.gauss(0, 1)) for name in names]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["person", "option_a", "option_b", "choice", "a_sweet", "a_sour", "b_sweet",
                       "b_sour", "town"])  # fmt: skip
        for person in range(people):
            for _ in range(each):
                (a, *x), (b, *y) = rng.sample(dishes, 2)
                sweeter = (y[0] - y[1]) - (x[0] - x[1])
                gap = 2.0 * sweeter * (1 if person % 2 else -1)
                taken = "b" if rng.random() < 1 / (1 + math.exp(-gap)) else "a"
                rows.writerow([f"p{person:02}", a, b, taken, *x, *y, ("here", "there")[person % 2]])
    return path


def write_ratings(path: Path, *, items: int = 30, raters: int = 12) -> Path:
    """Everybody rates everything on two criteria, 0 to 3; rater 11 answers at random."""
    rng = random.Random(0)
    places = [rng.gauss(0, 1.2) for _ in range(items)]
    harsh = [rng.gauss(0, 0.8) for _ in range(raters)]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item", "rater", "criterion", "rating", "text", "panel"])
        for i, place in enumerate(places):
            for r, severity in enumerate(harsh):
                for criterion, hard in (("clear", -0.5), ("kind", 0.5)):
                    steps = (place - severity - hard - t for t in (-1, 0, 1))
                    rating = _steps_passed(steps, rng) if r < raters - 1 else rng.randrange(4)
                    rows.writerow([f"item {i}", f"r{r:02}", criterion, rating,
                                   f"the cat runs in city {i} .", "xy"[r % 2]])  # fmt: skip
    return path


def _steps_passed(logits: Iterator[float], rng: random.Random) -> int:
    """A draw from the partial credit model with these adjacent-category logits."""
    weights, total = [1.0], 0.0
    for logit in logits:
        total += logit
        weights.append(math.exp(total))
    return rng.choices(range(len(weights)), weights)[0]


def fill(home: Path, world: World) -> None:
    """Compute what the pages ask for first, so that they open with a picture."""
    from backend import open_workbench
    from backend.workbench import shutdown

    found = open_workbench(home)
    for model, data in ((world.llama, world.texts), (world.vit, world.images)):
        found.run("projection", model=model, data=data, rows=512, method="pca")
        found.run("similarity", model=model, data=data, rows=512)
    found.describe(world.bert)
    shutdown()
