"""What is asked of the workbench, as values: they travel into jobs, keys and URLs."""

from dataclasses import asdict, dataclass, field

from backend.training import Recipe

TRAIN = "train:"  # before a recipe: the model that this training ends with


def data_of(model: str) -> str:
    """What `train:RECIPE` is trained on; empty for other models."""
    return Recipe.parse(model.removeprefix(TRAIN)).data if model.startswith(TRAIN) else ""


@dataclass(frozen=True)
class RunRequest:
    """An analysis of one model (or two) on one data set.

    `pooling` and `rows` may be empty: the model's own pooling, and all rows. `whatif` changes the
    first model; a second one is taken as it is. An analysis of choices or ratings may go without
    a model, and may take a second data set: the options' vectors, or their texts or images.
    """

    analysis: str
    model: str
    data: str
    other: str = ""  # a second model, on the same rows
    sites: str = "all"
    pooling: str = ""
    rows: int = 0
    seed: int = 0
    half: bool = False
    parameters: dict = field(default_factory=dict)
    whatif: str = ""  # text of a what-if, see backend/whatif/values.py
    also: str = ""  # a second data set, see above

    def to_json(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class CaptureAsk:
    """Vectors of one model on one data set."""

    model: str
    data: str
    sites: str = "all"
    pooling: str = ""
    rows: int = 0
    half: bool = False
    whatif: str = ""

    def to_json(self) -> dict:
        return asdict(self)


FIRST_ROWS = 512  # what a page asks for before anyone chose: a uniform sample, seconds of work


def first_request(analysis: str, model: str, data: str) -> RunRequest:
    """What a page asks for when nothing was chosen yet."""
    parameters = {"method": "pca"} if analysis == "projection" else {}
    return RunRequest(analysis, model, data, rows=FIRST_ROWS, parameters=parameters)
