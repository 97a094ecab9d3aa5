"""A small world for the pages: two language models, one of images, texts with labels, pictures."""

import csv
import io
import zipfile
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


def write_world(folder: Path) -> World:
    """Models and data as files; nothing is captured yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("llama", "bert", "vit"):
        write_model(kind, folder / kind)
    write_texts(folder / "texts.csv", ROWS)
    write_images(folder / "images.zip")
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
