"""Do people want one thing, or several?  PAL: shared prototypes, and weights for every person.

Chen, Chen, Rege, Vinayak 2024 (PAL); Coombs 1950 (ideal points); Bradley and Terry 1952.
"""

import numpy as np

from backend.analyses.intervals import number, say
from backend.analyses.options import INPUTS, OptionVectors, option_vectors
from backend.analyses.preferences_claims import CLAIMS
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError
from backend.preferences.choices import Choices, read_choices
from backend.preferences.form import DISTANCES, IDEALS, LOSSES, MAPS, Form

FIT_PARAMETERS = (
    Parameter("ideal", str, "Pw", "How a person's point comes from prototypes: see the form.",
              choices=IDEALS),
    Parameter("map", str, "identity", "The shared map f of the options' vectors.", choices=MAPS),
    Parameter("distance", str, "squared", "Reward is minus this distance.", choices=DISTANCES),
    Parameter("loss", str, "logistic", "Of a choice.", choices=LOSSES),
    Parameter("inputs", str, "auto", "What describes the options.", choices=INPUTS),
    Parameter("dimensions", int, 32, "Principal components of vectors to keep; 0 = all.",
              minimum=0, maximum=4096),
    Parameter("width", int, 32, "Width of the mapped space.", minimum=1, maximum=4096),
    Parameter("restarts", int, 3, "Starts of each fit; the best is kept.", minimum=1, maximum=50),
    Parameter("epochs", int, 30, "Passes of Adam, where L-BFGS is not used.", minimum=1,
              maximum=1000),
    Parameter("balanced", bool, False, "Every person counts alike, however many choices."),
)  # fmt: skip


def run(
    views: tuple[CaptureView, ...], *, data: Dataset, also: Dataset | None, seed: int,
    progress: Progress, max_k: int, k: int, seeds: int, test_share: float, new_share: float,
    site: str, **fitting: object,
) -> Body:  # fmt: skip
    """Fit 1 to `max_k` tastes at several seeds, choose how many, and describe them."""
    from backend.preferences import study as studies

    choices = read_choices(data.table())
    form, training = how_to_fit(fitting)
    if k > max_k:
        raise AnalysisError(f"k={k} is above max_k={max_k}.", "Raise max_k.")
    if form.ideal == "B" and choices.prompts is None:
        raise AnalysisError("PAL-B needs prompts.", "Give the choices a column prompt.")
    vectors = option_vectors(
        choices, views, also, inputs=str(fitting["inputs"]), site=site,
        dimensions=int(fitting["dimensions"]), prompts=form.ideal == "B",  # type: ignore[arg-type]
    )  # fmt: skip
    ks = list(range(1, max_k + 1))
    total = len(ks) * seeds * (1 if training.restarts == 1 else training.restarts) + 6
    counted = [0]

    def say_it(what: str) -> None:
        progress(min(counted[0], total), total, what)
        counted[0] += 1

    subject = studies.Subject(choices, vectors.X, vectors.C)
    found = studies.study(
        subject, form, ks, seeds=[seed + i for i in range(seeds)], training=training, say=say_it,
        test_share=test_share, new_share=new_share,
    )  # fmt: skip
    chosen = k or found.knee(choices.u, ks)
    return _body(subject, found, form, training, chosen, ks, seed, vectors, say_it)


def how_to_fit(fitting: dict):
    """The form and the training that the parameters describe."""
    from backend.preferences.fitting import Training

    form = Form(1, *(str(fitting[name]) for name in ("ideal", "map", "distance", "loss")))  # type: ignore[arg-type]
    training = Training(
        restarts=int(fitting["restarts"]), epochs=int(fitting["epochs"]),
        width=int(fitting["width"]), balanced=bool(fitting["balanced"]),
    )  # fmt: skip
    return form, training


def _body(subject, found, form, training, chosen, ks, seed, vectors: OptionVectors, say_it) -> Body:  # type: ignore[no-untyped-def]
    """The tables at the chosen number of tastes, the scalars, and the sentence."""
    from backend.analyses import preferences_tables as tables
    from backend.preferences import study as studies

    choices: Choices = subject.choices
    tastes, plain = found.tastes[seed, chosen], found.tastes[seed, 1]
    part = found.splits[seed]
    several = max(chosen, 2) if len(ks) > 1 else 1
    say_it("choices dealt to people at random")
    control = None
    if several > 1:
        control = studies.shuffled_gain(subject, form, several, seed=seed, training=training)
    say_it("options that were never seen")
    unseen = []
    if "direction of its own" not in vectors.origin:
        unseen = studies.new_options(subject, form, sorted({1, chosen}), seed=seed,
                                     training=training)  # fmt: skip
    say_it("few answers of new people")
    few = studies.few_shot(tastes, choices, part, seed=seed)
    few_plain = studies.few_shot(plain, choices, part, seed=seed)
    say_it("people")
    placed = tables.place_everyone(tastes, choices, part)
    result = {
        "accuracy": tables.accuracy_table([*found.scores, *unseen]),
        "baselines": tables.baselines_table(found.scores),
        "persons": tables.persons_table(tastes, plain, placed, choices, part),
        "fewshot": tables.fewshot_table(few, few_plain),
        "options": tables.options_table(tastes, choices, placed),
        "prototypes": tables.prototypes_table(tastes, choices, placed),
        "vectors": tables.vectors_table(tastes, choices),
        "calibration": tables.calibration_table(tastes, plain, choices, part),
    }
    if form.ideal == "B":
        result["asked"] = tables.asked_table(tastes, choices)
    scalars = _scalars(found, choices, chosen, several, control, vectors, tastes, form, ks, seed)
    return Body(scalars, result, _reading(scalars))


def _scalars(
    found, choices: Choices, chosen: int, several: int, control, vectors: OptionVectors, tastes,
    form: Form, ks: list[int], seed: int,
) -> dict[str, Scalar]:  # type: ignore[no-untyped-def]  # fmt: skip
    held = {k: [s for s in found.scores if s.name == "PAL" and s.split == "test" and s.k == k]
            for k in ks}  # fmt: skip
    mean = {k: float(np.mean([s.accuracy.micro for s in held[k]])) for k in ks}
    gain = found.gain(choices.u, several, 1)
    one = next(s.accuracy for s in held[chosen] if s.seed == seed)
    out: dict[str, Scalar] = {
        "n": choices.n, "persons": len(choices.persons), "options": len(choices.items),
        "prompts": 0 if choices.prompts is None else len(choices.prompts),
        "k": chosen, "max_k": ks[-1], "compared_k": several,
        "seeds": len({s.seed for s in held[1]}),
        "accuracy": mean[chosen], "accuracy_low": one.low, "accuracy_high": one.high,
        "accuracy_universal": mean[1],
        "gain": gain.value, "gain_low": gain.low, "gain_high": gain.high,
        "control_gain": control.value if control else None,
        "control_low": control.low if control else None,
        "control_high": control.high if control else None,
        "inputs": vectors.origin, "ideal": form.ideal, "map": form.map,
        "distance": form.distance, "loss_kind": form.loss, "scale": tastes.scale,
        "live": form.is_linear_in_weights, "pairs_per_person": choices.n / len(choices.persons),
        "note": " ".join((*choices.notes, *vectors.notes)),
    }  # fmt: skip
    for name in ("majority", "Bradley-Terry on options", "Bradley-Terry on vectors",
                 "what made the choices"):  # fmt: skip
        mine = [s.accuracy.micro for s in found.scores if s.name == name and s.split == "test"]
        if mine:
            out[name.lower().replace(" ", "_").replace("-", "_")] = float(np.mean(mine))
    return out


def _reading(s: dict) -> str:
    people = f"{s['n']:,} choices of {s['persons']:,} people"
    worth = s.get("bradley_terry_on_options")
    if worth is not None and worth > s["accuracy"]:
        people += (
            f"; one worth for each option, the same for all, predicts {number(100 * worth)} %, "
            "more than tastes of these vectors"
        )
    if s["compared_k"] == 1:
        held = say(s["accuracy"], s["accuracy_low"], s["accuracy_high"])
        return f"One taste predicts {held} of held-out choices ({people})."
    gain = say(100 * s["gain"], 100 * s["gain_low"], 100 * s["gain_high"])
    chance = number(100 * s["control_gain"])
    held = f"{number(100 * s['accuracy_universal'])} % of held-out choices"
    if s["gain_low"] > 0 and s["k"] > 1:
        most = " (the most that was tried)" if s["k"] == s["max_k"] else ""
        return (
            f"{s['k']} tastes{most}: one taste for all predicts {held}, {s['k']} tastes "
            f"{number(100 * s['accuracy'])} %, {gain} points more; {chance} points when choices "
            f"are dealt to people at random ({people})."
        )
    return (
        f"One taste explains these choices: it predicts {held}; {s['compared_k']} tastes add "
        f"{gain} points, {chance} when choices are dealt to people at random ({people})."
    )


SPEC = register(
    Spec(
        key="preferences",
        title="Preferences",
        question="Do people want one thing, or several?",
        source="Chen, Chen, Rege, Vinayak 2024 (PAL)",
        version=1,
        run=run,
        reads="choices",
        model="optional",
        sites="last",
        parameters=(
            Parameter("max_k", int, 4, "Tastes to try, from 1 to this.", minimum=1, maximum=12),
            Parameter("k", int, 0, "Tastes to describe; 0 = as many as the choices call for.",
                      minimum=0, maximum=12),
            Parameter("seeds", int, 3, "Splits and starts, for the band.", minimum=1, maximum=20),
            Parameter("test_share", float, 0.2, "Of each known person's pairs held out.",
                      minimum=0.05, maximum=0.5),
            Parameter("new_share", float, 0.2, "Of the people kept as new.", minimum=0.0,
                      maximum=0.5),
            Parameter("site", str, "", "Layer of the options' vectors; empty = the last."),
            *FIT_PARAMETERS,
        ),
        claims=CLAIMS,
    )
)  # fmt: skip
