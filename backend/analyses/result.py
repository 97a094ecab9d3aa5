"""What an analysis gives back: numbers, tables, one sentence, and where they came from."""

from dataclasses import dataclass, field

import pyarrow as pa

Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class Body:
    """What the maths of an analysis returns; the workbench adds key and provenance."""

    scalars: dict[str, Scalar]
    tables: dict[str, pa.Table]
    reading: str  # one sentence that names the number and its interval, made from the result


@dataclass(frozen=True)
class Result:
    """A finished analysis.

    `provenance` holds: key, analysis, version, models, data, data_name, pooling, dtype, n, of,
    seed, parameters, versions, seconds, created, oracle.
    """

    key: str
    analysis: str
    scalars: dict[str, Scalar]
    tables: dict[str, pa.Table]
    reading: str
    provenance: dict = field(default_factory=dict)
