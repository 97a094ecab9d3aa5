"""Everything about the layers of one model: similarity, projection, profile and lens together."""

from collections.abc import Mapping

from backend.analyses.inputs import notes
from backend.analyses.result import Body
from backend.analyses.spec import REGISTRY, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import ModelError

PARTS = ("similarity", "projection", "profile", "lens")  # registered before by `load_all`


def merge(bodies: Mapping[str, Body], *, said: tuple[str, ...] = ()) -> Body:
    """One body from the parts' bodies, by part key.

    Scalars are named `part.name`; tables keep their names, which the parts do not share; the
    reading is the parts' readings in order.
    """
    scalars, tables = {}, {}
    for key, body in bodies.items():
        scalars |= {f"{key}.{name}": value for name, value in body.scalars.items()}
        for name, table in body.tables.items():
            if name in tables:
                raise ValueError(f"two parts have a table {name!r}")
            tables[name] = table
    scalars["note"] = notes([*said, *(str(b.scalars.get("note") or "") for b in bodies.values())])
    return Body(scalars, tables, " ".join(body.reading for body in bodies.values()))


def run(
    views: tuple[CaptureView, ...],
    *,
    seed: int,
    progress: Progress,
    model: object = None,
    **given: object,
) -> Body:
    """All parts that suit the data and the model, one after the other; what is left out is noted.

    `given` are parameters of the parts; each part has its own defaults for the rest.
    """
    bodies, said = {}, []
    for key, parameters in SPEC.share(given).items():
        part = REGISTRY[key]
        if views[0].dataset.kind not in part.kinds:
            continue
        if part.needs_model and model is None:
            said.append(f"{part.title} was left out: it needs the model itself.")
            continue
        extra = {"model": model} if part.needs_model else {}
        try:
            bodies[key] = part.run(views, seed=seed, progress=progress, **extra, **parameters)
        except ModelError as error:  # an encoder has layers to compare, but no lens
            said.append(str(error))
    return merge(bodies, said=tuple(said))


SPEC = register(
    Spec(
        key="layers",
        title="Layers",
        question="What changes from layer to layer?",
        source="Kornblith et al. 2019; Ansuini et al. 2019; nostalgebraist 2020",
        version=1,
        run=run,
        parts=PARTS,
    )
)
