"""What two learning games hold, made up: stamps and resource bundles."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from backend.demo.games import STAMPS
from tests.data.files import image

CAPTION = "A black and white cat.\naf.utf8='n Kat.\nde.utf8=Eine Katze.\n"


def stamp(path, pixels, alpha):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.dstack([pixels, alpha]).astype(np.uint8)).save(path)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 127, (height, width, 3))


def disc(height, width):
    """255 inside the ellipse that fills the picture, 0 outside."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.where(x**2 + y**2 <= 1, 255, 0)


def smooth(height, width):
    """A drawing: bands of one colour each."""
    return np.repeat(np.arange(height) // 16 * 7, width).reshape(height, width, 1) + [0, 1, 2]


def bundle(files, *, version=3, packed=(), flags=None):
    """A bundle of {path: bytes}, as Qt's compiler lays it out; `packed` paths are deflated."""
    tree = {}
    for path, data in files.items():
        *folders, name = path.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = (path, data)
    nodes, names, contents = [("", tree)], b"", b""
    rows = []
    for name, held in nodes:  # grows while it is walked: breadth first
        start = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        if isinstance(held, dict):
            rows.append(struct.pack(">IHII", start, 2, len(held), len(nodes)))
            nodes += held.items()
        else:
            path, data = held
            deflate = path in packed
            stored = struct.pack(">I", len(data)) + zlib.compress(data) if deflate else data
            flag = int(deflate) if flags is None else flags
            rows.append(struct.pack(">IHHHI", start, flag, 0, 1, len(contents)))
            contents += struct.pack(">I", len(stored)) + stored
    if version > 1:
        rows = [row + struct.pack(">Q", 1234) for row in rows]
    head = 24 if version == 3 else 20
    at = (head + sum(map(len, rows)), head + sum(map(len, rows)) + len(contents))
    out = b"qres" + struct.pack(">4I", version, head, *at)
    return out + bytes(head - 20) + b"".join(rows) + contents + names


def write_tuxpaint(root):
    """A folder with the files taken from Tux Paint: two photographs, and what is none."""
    folder = root / STAMPS
    full = np.full((70, 90), 255)
    stamp(folder / "animals" / "cats" / "tom-2.png", noise(71, 91), disc(71, 91))
    (folder / "animals" / "cats" / "tom-2.txt").write_text(CAPTION, encoding="utf-8")
    stamp(folder / "town" / "7_postBox.png", noise(70, 90, 1), full)
    for left_out in ("animals/cartoon/cat", "symbols/a", "town/flags/red", "town/7_postBox_mirror"):
        stamp(folder / f"{left_out}.png", noise(70, 90), full)
    stamp(folder / "food" / "pie.png", smooth(70, 90), full)  # drawn
    stamp(folder / "food" / "pea.png", noise(40, 60), np.full((40, 60), 255))  # small
    stamp(folder / "food" / "mist.png", noise(70, 90), np.full((70, 90), 90))  # see-through
    return {"tuxpaint-stamps-default": root}


def write_gcompris(folder):
    """A folder with three bundles: a hammer, a cow, and one monument twice."""
    folder.mkdir()
    wonder = Image.open(io.BytesIO(image(1, size=(4, 4)))).resize((60, 80))
    tall, again = io.BytesIO(), io.BytesIO()
    wonder.save(tall, format="WEBP")
    wonder.resize((45, 60)).save(again, format="WEBP", quality=70)
    stem = "gcompris/src/activities"
    sorted_ = {f"{stem}/sort/tools/hammer2.webp": image(2, form="WEBP"), f"{stem}/a.qml": b"code"}
    sights = {f"{stem}/see/india/tajMahal.webp": tall.getvalue(),
              f"{stem}/see/india/taj.webp": again.getvalue()}  # fmt: skip
    beasts = {f"{stem}/farm/animals/cow.webp": image(3, form="WEBP")}
    for name, files in (("categorization", sorted_), ("explore_monuments", sights),
                        ("explore_farm_animals", beasts)):  # fmt: skip
        (folder / f"{name}.rcc").write_bytes(bundle(files))
    return {"gcompris-qt-data": folder}
