"""What is missing, and what it will cost: the quote before the click."""

from dataclasses import dataclass

from backend.capture.request import CaptureRequest, shard_rows

# Operations (multiply and add count as two) per second, before this machine was measured.
USUAL_RATE = {"cpu": 6e10, "mps": 1e12, "cuda": 4e13}


@dataclass(frozen=True)
class Plan:
    """Which shards lack which sites, with the bytes and seconds it takes to fill them in."""

    request: CaptureRequest
    missing: tuple[tuple[int, tuple[str, ...]], ...]  # (shard, sites)
    rows: int  # rows to run
    of: int  # rows asked for
    n_bytes: int
    seconds: float
    measured: bool  # whether the speed was measured here before

    @property
    def complete(self) -> bool:
        return not self.missing

    def quote(self) -> str:
        """One line for the page: rows, sites, time, disk."""
        if self.complete:
            return f"{self.of:,} rows are captured."
        about = "about" if self.measured else "roughly"
        minutes, seconds = divmod(max(1, round(self.seconds)), 60)
        time = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        size = self.n_bytes / 1e6
        sites = max(len(s) for _, s in self.missing)
        return f"{self.rows:,} rows x {sites} sites: {about} {time}, {size:,.0f} MB on disk."


def make_plan(
    request: CaptureRequest,
    present: dict[str, set[int]],
    *,
    width: int,
    parameters: int,
    tokens_per_row: float,
    device: str,
    rate: float | None,
) -> Plan:
    """Plan a request against what the store has.

    Parameters
    ----------
    present : capture key -> shards that are stored.
    width, parameters, tokens_per_row : of the model and data; they set bytes and seconds.
    rate : operations per second measured on this machine, or None.
    """
    keys = {s: request.key(s) for s in request.sites}
    missing = []
    for shard in request.shards():
        sites = tuple(s for s in request.sites if shard not in present.get(keys[s], set()))
        if sites:
            missing.append((shard, sites))
    size = shard_rows(request.of)
    rows = sum(min(size, request.of - shard * size) for shard, _ in missing)
    positions = tokens_per_row if request.pooling in ("tokens", "spatial") else 1.0
    vectors = sum(
        min(size, request.of - shard * size) * len(sites) * positions for shard, sites in missing
    )
    operations = 2.0 * parameters * tokens_per_row * rows
    speed = rate or USUAL_RATE.get(device.partition(":")[0], USUAL_RATE["cpu"])
    return Plan(
        request, tuple(missing), rows, min(request.rows, request.of),
        round(vectors * width * (2 if request.half else 4)), operations / speed, rate is not None,
    )  # fmt: skip
