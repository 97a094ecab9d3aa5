"""What watching costs a training of one's own: the loop with `backend.watch` over the loop without.

A residual net of four blocks on made pictures of 8 pixels; both loops end with the same weights.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import torch
from measure import Line, alternate, ratios
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from backend.models.residual import ResidualCNN, residual_config
from backend.watch import Watcher, watch

N, K, SIDE, EPOCHS, BATCH = 2_000, 10, 8, 6, 64
BAR = 1.10


def run(pairs: int, folder: Path) -> list[Line]:
    """A tenth of the rows after every epoch, and all of them after the last."""
    few, many = f"{N // 10} of {N:,} rows, every epoch", f"all {N:,} rows, one of {EPOCHS} epochs"
    chosen = {few: dict(every=1, at_most=N // K // 10), many: dict(every=EPOCHS)}
    loader = _loader()
    with _one_thread():
        return [_compare(what, loader, pairs, folder, options) for what, options in chosen.items()]


def _compare(what: str, loader: DataLoader, pairs: int, folder: Path, options: dict) -> Line:
    ends: dict[str, torch.Tensor] = {}

    def begin(net: ResidualCNN) -> Watcher:
        return watch(net, head=net.classifier, name=uuid4().hex, store=folder, **options)

    methods = {
        "plain": lambda: ends.__setitem__("plain", _train(loader, None)),
        "watched": lambda: ends.__setitem__("watched", _train(loader, begin)),
    }
    times = alternate(methods, pairs)
    if not torch.equal(ends["plain"], ends["watched"]):
        raise AssertionError(f"{what}: the watched training gave other weights")
    seconds = sorted(times["plain"])[len(times["plain"]) // 2] / EPOCHS
    note = f"an epoch takes {seconds:.2f} s; equal weights at the end"
    found = ratios(times, "watched", "plain")
    return Line("watch", f"{what} / not watched", found, bar=BAR, note=note)


def _train(loader: DataLoader, begin: Callable[[ResidualCNN], Watcher] | None) -> torch.Tensor:
    """Train from the same beginning; the head's weights at the end."""
    torch.manual_seed(0)
    config = residual_config(size=SIDE, channels=3, blocks=4, width=32, features=64,
                             classes=[str(k) for k in range(K)])  # fmt: skip
    net = ResidualCNN(config)
    watcher = begin(net) if begin else None
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for epoch in range(1, EPOCHS + 1):
        net.train()
        for x, y in loader:
            optimiser.zero_grad()
            cross_entropy(net(x), y).backward()
            optimiser.step()
        if watcher is not None:
            watcher.epoch(epoch, loader)
    return net.classifier.weight.detach().clone()


def _loader() -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(N) % K
    means = torch.randn(K, 3, SIDE, SIDE, generator=generator)
    x = means[y] + torch.randn(N, 3, SIDE, SIDE, generator=generator)
    return DataLoader(TensorDataset(x, y), BATCH, shuffle=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Two threads on a shared machine wait for each other; the ratio is the same on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
