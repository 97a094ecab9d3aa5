"""Watching a training: the numbers are those of a direct computation, the training is not moved."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from backend.collapse.metrics import measure
from backend.collapse.streaming import collapse
from backend.errors import AnalysisError, ModelError, UserError
from backend.watch import watch
from backend.watched import list_watched, watched_folder

N, D, K = 60, 4, 3


class Net(nn.Module):
    """A block with dropout and batch norm, something that works in place, a head."""

    def __init__(self, bias=True):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8))
        self.cut = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.body = nn.Sequential(nn.Linear(8, D), nn.Tanh())
        self.fc = nn.Linear(D, K, bias=bias)
        self.register_buffer("noise", torch.zeros(1))

    def forward(self, x):
        self.noise = torch.randn(1)  # draws, as dropout does
        return self.fc(self.body(self.drop(self.cut(self.inner(x)))))


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(N) % K
    return torch.randn(N, 6, generator=generator) + y[:, None], y


@pytest.fixture
def net():
    torch.manual_seed(0)
    made = Net()
    made.inner[1].running_mean.fill_(0.3)
    made.body.eval()  # one part frozen by its owner, the rest training
    return made


def begin(net, tmp_path, **options):
    return watch(net, head=net.fc, name="a run", store=tmp_path, **options)


def record(tmp_path, epoch=0):
    (run,) = list_watched(watched_folder(tmp_path))
    return run.moments(epoch)


def states(net, X):
    """(after the block, what the head reads) in evaluation mode, by hand."""
    modes = [(m, m.training) for m in net.modules()]
    net.eval()
    with torch.no_grad():
        inner = net.inner(X).clone()
        last = net.body(inner.clamp(min=0))
    for module, training in modes:
        module.training = training
    return inner.double().numpy(), last.double().numpy()


def test_statistics_are_those_of_a_direct_computation(net, rows, tmp_path):
    X, y = rows
    loader = DataLoader(TensorDataset(X, y), 16, shuffle=True)
    assert begin(net, tmp_path, modules={"block": "inner"}).epoch(0, loader)
    found = record(tmp_path)
    assert list(found) == ["block", "penultimate"]
    labels = y.numpy()
    for layer, H in zip(found, states(net, X), strict=True):
        moments = found[layer]
        means = np.stack([H[labels == k].mean(0) for k in range(K)])
        gaps = H - means[labels]
        np.testing.assert_allclose(moments.means, means, atol=1e-6)
        assert moments.counts.tolist() == [20, 20, 20]
        spread = [np.square(gaps[labels == k]).sum(1).mean() for k in range(K)]
        np.testing.assert_allclose(moments.spread, spread, rtol=1e-5)
        M = means - means.mean(0)
        inverse = np.linalg.pinv(M.T @ M / K, rcond=1e-7, hermitian=True)
        nc1 = np.trace(gaps.T @ gaps / N @ inverse) / K
        assert measure(moments).nc1 == pytest.approx(nc1, rel=1e-4)
    W, b = net.fc.weight.detach().double().numpy(), net.fc.bias.detach().double().numpy()
    assert np.array_equal(moments.head.weight, W) and np.array_equal(moments.head.bias, b)
    said = (H @ W.T + b).argmax(1)
    wrong = np.bincount(labels[said != labels], minlength=K)
    assert moments.head.wrong.tolist() == wrong.tolist() and found["block"].head is None
    nearest = ((H[:, None] - means) ** 2).sum(2).argmin(1)
    assert moments.off_centre.sum() == (nearest != labels).sum()


def test_the_training_is_as_it_was(net, rows, tmp_path):
    X, y = rows
    own = torch.Generator().manual_seed(5)
    loader = DataLoader(TensorDataset(X, y), 16, shuffle=True, generator=own)
    shared = DataLoader(TensorDataset(X, y), 16, shuffle=True)
    nn.functional.cross_entropy(net(X), y).backward()
    modes = [m.training for m in net.modules()]
    weights = {n: t.clone() for n, t in net.state_dict().items() if n != "noise"}
    gradients = {n: p.grad.clone() for n, p in net.named_parameters()}
    watcher = begin(net, tmp_path, modules={"block": net.inner})

    def draws():
        batch = [next(iter(loader))[1], next(iter(shared))[1], torch.rand(2)]
        return [*map(torch.Tensor.tolist, batch), np.random.rand(), random.random()]

    def seeded(*, look):
        random.seed(1), np.random.seed(1), torch.manual_seed(1), own.manual_seed(1)
        for each in (loader, shared) if look else ():
            assert watcher.epoch(1, each)
        return draws()

    assert seeded(look=True) == seeded(look=False)
    assert [m.training for m in net.modules()] == modes and len(set(modes)) == 2
    assert all(torch.equal(weights[n], net.state_dict()[n]) for n in weights)
    assert all(torch.equal(gradients[n], p.grad) for n, p in net.named_parameters())
    assert all(p.requires_grad for p in net.parameters()) and torch.is_grad_enabled()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_what_fails_leaves_the_training_as_it_was_too(net, rows, tmp_path):
    X, _ = rows
    modes = [m.training for m in net.modules()]
    watcher = begin(net, tmp_path)
    with pytest.raises(AnalysisError, match="Label 7 is not one of the 3 classes"):
        watcher.epoch(0, [(X, torch.full((N,), 7))])
    assert [m.training for m in net.modules()] == modes and torch.is_grad_enabled()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert list_watched(watched_folder(tmp_path))[0].epochs == ()


def test_rows_of_a_class_are_counted(net, rows, tmp_path):
    X, y = rows
    batches = DataLoader(TensorDataset(X, y), 7, shuffle=True)
    begin(net, tmp_path, at_most=5).epoch(0, batches)
    assert record(tmp_path)["penultimate"].counts.tolist() == [5, 5, 5]
    assert record(tmp_path)["penultimate"].head.wrong.max() <= 5


def test_a_batch_without_wanted_rows_is_not_run(net, rows, tmp_path):
    X, y = rows
    order = torch.argsort(y, stable=True)  # class by class
    ran = []
    net.inner.register_forward_hook(lambda m, args, out: ran.append(len(args[0])))
    begin(net, tmp_path, at_most=2).epoch(0, DataLoader(TensorDataset(X[order], y[order]), 5))
    assert ran == [5, 5, 5]  # the first batch of each class
    H = states(net, X)[1]
    first = np.stack([H[(y == k).numpy()][:2].mean(0) for k in range(K)])
    np.testing.assert_allclose(record(tmp_path)["penultimate"].means, first, atol=1e-6)


def test_your_own_pass_gives_the_same_record(net, rows, tmp_path):
    X, y = rows
    loader = DataLoader(TensorDataset(X, y), 16)
    watcher = begin(net, tmp_path, modules={"block": "inner"})
    watcher.epoch(0, loader)
    net.eval()
    with torch.no_grad():
        for x, labels in loader:
            inner = net.inner(x)
            last = net.body(inner.clamp(min=0))
            watcher.batch({"block": inner, "penultimate": last}, labels)
    watcher.end(1)
    assert_same(record(tmp_path, 0), record(tmp_path, 1))
    with pytest.raises(UserError, match="not those of the layers watched. Give block, penultimate"):
        watcher.batch(last, labels)


def assert_same(one, other):
    assert list(one) == list(other)
    for layer in one:
        for name, value in vars(one[layer]).items():
            if name != "head":
                np.testing.assert_allclose(value, vars(other[layer])[name], atol=1e-12)


def test_your_own_pass_begins_anew_after_each_end(net, rows, tmp_path):
    X, y = rows
    watcher = begin(net, tmp_path, at_most=4)
    H = torch.from_numpy(states(net, X)[1])
    for epoch in (0, 1):
        watcher.batch(H[:30], y[:30])
        watcher.batch(H[30:], y[30:].tolist())
        watcher.end(epoch)
        assert record(tmp_path, epoch)["penultimate"].counts.tolist() == [4, 4, 4]
    assert measure(record(tmp_path)["penultimate"]).nc1 == pytest.approx(
        collapse(H[:12].numpy(), y[:12].numpy()).nc1, rel=1e-9
    )


def test_mappings_and_other_batches(net, rows, tmp_path):
    X, y = rows

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, pixels, scale):
            return self.net(pixels * scale)

    named, one = Named(), torch.ones(1)
    watcher = watch(named, head="net.fc", name="a run", store=tmp_path)
    watcher.epoch(0, [{"pixels": X, "scale": one, "labels": y}])
    watcher.epoch(1, [{"pixels": X, "scale": one, "label": y}])
    watcher.epoch(2, [(X, one, y)])

    def run(batch):
        named(batch["x"], one)
        return batch["y"]

    watcher.epoch(3, [{"x": X, "y": y}], run=run)
    for epoch in (1, 2, 3):
        assert_same(record(tmp_path, epoch), record(tmp_path, 0))
    for batch, said in (({"x": X, "y": y}, "dict with x, y"), ([X], "is list,"), (X, "is Tensor,")):
        with pytest.raises(UserError, match=f"{said}.*Give `run`"):
            watcher.epoch(4, [batch])


def test_maps_are_averaged_and_sequences_pooled_as_told(tmp_path):
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 4, 3)
    net = nn.Sequential(convolution, nn.Flatten(), nn.Linear(4 * 4, K))
    X, y = torch.randn(N, 1, 4, 4), torch.arange(N) % K
    watch(net, head=net[2], name="a run", store=tmp_path, modules={"map": net[0]}).epoch(
        0, [(X, y)]
    )
    with torch.no_grad():
        H = convolution(X).mean((2, 3)).double().numpy()
    found = record(tmp_path)["map"].means
    np.testing.assert_allclose(found, [H[y == k].mean(0) for k in range(K)], atol=1e-6)

    sequence = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, K))
    X = torch.randn(N, 5, 2)
    with pytest.raises(UserError, match=r"penultimate has the shape \(60, 5, 4\)"):
        watch(sequence, head="1", name="s", store=tmp_path).epoch(0, [(X, y)])
    pools = {"first": lambda h: h[:, 0], "last": lambda h: h[:, 4], "mean": lambda h: h.mean(1)}
    for told, wanted in pools.items():
        for pool in (told, wanted):
            watch(sequence, head="1", name=told, store=tmp_path, pool=pool).epoch(0, [(X, y)])
        two = [
            r for r in list_watched(watched_folder(tmp_path)) if r.facts["name"].startswith(told)
        ]
        with torch.no_grad():
            H = wanted(sequence[0](X)).double().numpy()
        assert len(two) == 2
        for run in two:
            means = run.moments(0)["penultimate"].means
            np.testing.assert_allclose(means, [H[y == k].mean(0) for k in range(K)], atol=1e-6)


def test_epochs_are_looked_at_when_due(net, rows, tmp_path):
    X, y = rows
    log = begin(net, tmp_path / "log")
    due = [e for e in range(351) if log.is_due(e)]
    assert due[:17] == list(range(17)) and due[-1] == 350 and 45 <= len(due) <= 55
    gaps = np.diff(due)
    assert (np.diff(np.log(due[17:])) < 0.15).all() and (np.diff(gaps) >= -1).all()
    third = begin(net, tmp_path, every=3)
    seen = [third.epoch(e, [(X, y)]) for e in range(8)]
    assert [e for e, was in enumerate(seen) if was] == [0, 3, 6]
    assert third.epoch(7, [(X, y)], force=True)
    assert list_watched(watched_folder(tmp_path))[0].epochs == (0, 3, 6, 7)


def test_large_states_are_read_twice_and_give_the_same(net, rows, tmp_path, monkeypatch):
    X, y = rows
    loader = DataLoader(TensorDataset(X, y), 16, shuffle=True)
    watcher, ran = begin(net, tmp_path, modules={"block": "inner"}), []
    net.fc.register_forward_hook(lambda m, args, out: ran.append(len(out)))
    rest = [16, 16, 16, 12]
    for epoch, limit in enumerate((10**6, N * (8 + D) * 4, N * (8 + D) * 4 - 1, 0)):
        monkeypatch.setattr("backend.watch_pass.HELD_BYTES", limit)
        torch.manual_seed(3)
        watcher.epoch(epoch, loader)
        assert ran == rest * (1 if epoch < 2 else 2)
        assert_same(record(tmp_path, 0), record(tmp_path, epoch))
        ran.clear()


def test_readings_that_differ_are_refused(net, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("backend.watch_pass.HELD_BYTES", 0)
    X, y = rows
    watcher = begin(net, tmp_path)
    once = iter([(X, y)])
    with pytest.raises(AnalysisError, match="had 20 rows in the first pass, 0 now"):
        watcher.epoch(0, once)

    class Moving:
        shift = 0.0

        def __iter__(self):
            self.shift += 1.0
            return iter([(X + self.shift, y)])

    with pytest.raises(AnalysisError, match="not what it was in the first pass.*augmentation"):
        watcher.epoch(0, Moving())


def test_random_augmentation_is_the_same_in_both_readings(net, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("backend.watch_pass.HELD_BYTES", 0)
    X, y = rows

    class Noisy(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitem__(self, i):
            return X[i] + torch.randn(6), y[i]

    assert begin(net, tmp_path).epoch(0, DataLoader(Noisy(), 16, shuffle=True))


def test_mistakes_are_named(net, rows, tmp_path):
    X, y = rows
    with pytest.raises(ModelError, match="no module 'head'. Its last ones are: .*fc"):
        watch(net, head="head", name="a", store=tmp_path)
    with pytest.raises(ModelError, match="no module Linear"):
        watch(net, head=nn.Linear(2, 2), name="a", store=tmp_path)
    with pytest.raises(ModelError, match="head is BatchNorm1d, no linear layer"):
        watch(net, head=net.inner[1], name="a", store=tmp_path)
    with pytest.raises(UserError, match="'penultimate' is what the head reads"):
        begin(net, tmp_path, modules={"penultimate": net.body})
    for options in ({"at_most": 1}, {"every": 0}, {"pool": "middle"}):
        with pytest.raises(UserError, match="|".join(options)):
            begin(net, tmp_path, **options)
    assert list_watched(watched_folder(tmp_path)) == []
    with pytest.raises(UserError, match="float32 of shape"):
        begin(net, tmp_path).epoch(0, [(X, y.float())])
    lonely = nn.Sequential(net, nn.Linear(3, 3))
    with pytest.raises(UserError, match="ran without calling penultimate"):
        watch(lonely, head="1", name="b", store=tmp_path).epoch(
            0, [(X, y)], run=lambda batch: (net(batch[0]), batch[1])[1]
        )
    with pytest.raises(UserError, match="60 rows for 59 labels"):
        begin(net, tmp_path).epoch(0, [(X, y[1:])])
    with pytest.raises(AnalysisError, match="Class 2 has 0 row"):
        begin(net, tmp_path).epoch(0, [(X[y < 2], y[y < 2])])


def test_classes_are_named(net, rows, tmp_path):
    for names, told in (((), ["0", "1", "2"]), (("cat", "dog", 3), ["cat", "dog", "3"])):
        begin(net, tmp_path, classes=names)
        assert list_watched(watched_folder(tmp_path))[0].facts["classes"] == told
    with pytest.raises(UserError, match="2 classes are named, and the head has 3 outputs"):
        begin(net, tmp_path, classes=("cat", "dog"))


def test_a_head_without_bias(rows, tmp_path):
    X, y = rows
    net = Net(bias=False)
    begin(net, tmp_path).epoch(0, [(X, y)])
    assert record(tmp_path)["penultimate"].head.bias.tolist() == [0, 0, 0]


def test_the_data_folder_is_the_dashboards_own(net, rows, home):
    watch(net, head=net.fc, name="a run").epoch(0, [rows])
    assert (home / "watched" / "a run" / "epoch-0000.npz").is_file()


def test_importing_it_loads_no_torch():
    code = "import sys; from backend.watch import watch; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
