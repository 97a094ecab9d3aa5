"""How an analysis declares itself; one registry, filled by the modules that `ANALYSES` names."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from backend.analyses.result import Body, Result
from backend.errors import AnalysisError

Progress = Callable[[int, int, str], None]  # done, total, what is being done


@dataclass(frozen=True)
class Parameter:
    """One setting of an analysis; drives the command line's checks and the page's widgets."""

    name: str
    type: type
    default: object
    help: str
    choices: tuple = ()
    minimum: float | None = None
    maximum: float | None = None

    def check(self, value: object) -> object:
        """The value as the declared type; AnalysisError names what is wrong with it."""
        try:
            if self.type is bool and isinstance(value, str):
                value = {"true": True, "1": True, "false": False, "0": False}[value.lower()]
            value = self.type(value)
        except (TypeError, ValueError, KeyError):
            raise AnalysisError(
                f"{self.name}={value!r} is not of type {self.type.__name__}.", self.help
            ) from None
        if self.choices and value not in self.choices:
            allowed = ", ".join(map(str, self.choices))
            raise AnalysisError(f"{self.name}={value!r} is not known.", f"Choose from: {allowed}.")
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise AnalysisError(
                f"{self.name}={value!r} is out of range.", f"Give a value from {low} to {high}."
            )
        return value


@dataclass(frozen=True)
class Measured:
    """A paper's finding, measured here."""

    value: str  # the number with its interval and unit, as text
    verdict: str  # "agrees", "differs" or "not testable here"


@dataclass(frozen=True)
class Claim:
    """One finding of the paper, in our words, and how a result is held against it."""

    key: str
    paper: str
    finding: str
    measure: Callable[[Result], Measured]
    unconfirmed: bool = False


@dataclass(frozen=True)
class Spec:
    """An analysis: what it answers, what it needs, and the function that computes it.

    One that reads `rows` gets captures of models on them. One that reads `choices` or `ratings`
    gets that table as `data`, a second data set as `also` (or None), and captures of a model on
    the options' or items' texts where a model is named. One that takes `arrays` may go without
    a model: then `data` is a set of named arrays (an npz file).
    """

    key: str
    title: str
    question: str
    source: str
    version: int
    run: Callable[..., Body] | None = None  # None: a suite, see `parts`
    kinds: tuple[str, ...] = ("text", "image", "audio")
    reads: Literal["rows", "choices", "ratings"] = "rows"
    model: Literal["required", "optional", "none"] = "required"
    arrays: bool = False
    sites: str = "all"  # which sites are captured when none was chosen
    captures: int = 1  # how many it takes at the most; 0 = only model and data
    needs_model: bool = False
    compares: bool = False  # it takes the what-if itself; the others run under it
    parameters: tuple[Parameter, ...] = ()
    claims: tuple[Claim, ...] = field(default=())
    parts: tuple[str, ...] = ()  # a suite: the analyses whose tables it puts together

    def parse(self, given: dict[str, object]) -> dict[str, object]:
        """Every parameter with its value; unknown names and bad values are refused.

        A suite takes its parts' parameters and gives back only those that were given: each part
        has its own defaults, see `share`.
        """
        known = {p.name: p for p in self._all_parameters()}
        for name in given:
            if name not in known:
                raise AnalysisError(
                    f"{self.key} has no parameter {name!r}.",
                    f"It has: {', '.join(known) or 'none'}.",
                )
        if self.parts:
            self.share(given)
            return {name: known[name].check(value) for name, value in given.items()}
        return {name: p.check(given.get(name, p.default)) for name, p in known.items()}

    def share(self, given: dict[str, object]) -> dict[str, dict[str, object]]:
        """For each part of a suite its parameters, complete; a shared name goes to each part."""
        out = {}
        for key in self.parts:
            part = REGISTRY[key]
            known = {p.name for p in part.parameters}
            out[key] = part.parse({k: v for k, v in given.items() if k in known})
        return out

    def _all_parameters(self) -> tuple[Parameter, ...]:
        """Own parameters, then those of the parts."""
        return self.parameters + tuple(p for key in self.parts for p in REGISTRY[key].parameters)


REGISTRY: dict[str, Spec] = {}


def register(spec: Spec) -> Spec:
    """Add an analysis to the registry; a key can be taken once."""
    if spec.key in REGISTRY:
        raise ValueError(f"the analysis {spec.key!r} is registered twice")
    REGISTRY[spec.key] = spec
    return spec
