"""A small result of the raters analysis, as it is given."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from backend.analyses.raters import SPEC
from backend.analyses.result import Result
from backend.rasch.simulate import simulate

KEY = "0123456789abcdef0123456789abcdef"


def raters(items: int = 40, people: int = 8, **given: object) -> Result:
    """Ratings of 4 criteria, each item by 4 raters; names hold markup."""
    s = simulate(items, people, 4, seed=0, difficulty=np.linspace(-1, 1, 4), most=np.full(4, 2))
    table = pa.table({
        "item": [f"<b>{k}</b>" for k in s.item], "rater": [f"r{k}" for k in s.rater],
        "criterion": [f"c{k}" for k in s.criterion], "rating": s.x,
    })  # fmt: skip
    parameters = SPEC.parse(given)
    body = SPEC.run(
        (), data=SimpleNamespace(table=lambda: table), also=None, seed=0,
        progress=lambda *_: None, **parameters,
    )  # fmt: skip
    said = {"key": KEY, "analysis": "raters", "models": [], "data_name": "judges & items",
            "seed": 7, "parameters": parameters}  # fmt: skip
    return Result(KEY, "raters", body.scalars, body.tables, body.reading, said)
