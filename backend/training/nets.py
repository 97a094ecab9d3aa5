"""The net of a recipe, how it is pulled by its loss, and what trains it (workers only)."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from backend.models.mlp import MLP, mlp_config
from backend.models.residual import ResidualCNN, residual_config
from backend.training.recipe import Recipe

Net = ResidualCNN | MLP


def build(recipe: Recipe, shape: Sequence[int], classes: Sequence[str], *, layers: int) -> Net:
    """An untrained net of so many blocks for rows of a shape, drawn by the recipe's seed."""
    bias = bool(recipe.head_bias)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        if recipe.net == "mlp":
            config = mlp_config(
                shape=shape, blocks=layers, width=recipe.width, classes=classes, bias=bias
            )
            return MLP(config)
        config = residual_config(
            size=shape[-1], channels=shape[0], blocks=layers, width=recipe.width,
            features=recipe.features, classes=classes, bias=bias,
        )  # fmt: skip
        return ResidualCNN(config)


def with_layer(net: Net, recipe: Recipe) -> Net:
    """An MLP with one more hidden layer and a fresh head; the layers before are copied, frozen.

    The new parts are those of an untrained net of as many layers.
    """
    config, before = net.config, net.blocks.state_dict()
    more = build(recipe, config["shape"], config["classes"], layers=len(net.blocks) + 1)  # type: ignore[arg-type]
    more.blocks[:-1].load_state_dict(before)
    return freeze(more)


def freeze(net: Net) -> Net:
    """The net with all hidden layers but the last frozen."""
    net.blocks[:-1].requires_grad_(False)
    return net


def train_mode(net: Net) -> None:
    """Training mode; what is frozen keeps to evaluation, so that its batch norms stay too."""
    net.train()
    for block in net.blocks:
        if not any(p.requires_grad for p in block.parameters()):
            block.eval()


def optimiser(net: Net, recipe: Recipe) -> torch.optim.SGD:
    """Stochastic gradient descent over what is not frozen, with the decay of head and body."""
    head = list(net.classifier.parameters())
    body = [
        p for name, p in net.named_parameters()
        if not name.startswith("classifier.") and p.requires_grad
    ]  # fmt: skip
    groups = [
        {"params": body, "weight_decay": recipe.weight_decay * recipe.body_decay},
        {"params": head, "weight_decay": recipe.weight_decay * recipe.head_decay},
    ]
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum)


def loss_of(kind: str, logits: torch.Tensor, y: torch.Tensor, *, reduction: str) -> torch.Tensor:
    """A recipe's loss, the mean over rows or their sum.

    "ce" is the cross-entropy in nats; "mse" is 1/2 |z - e_y|^2, so that its mean is the first term
    of equation 1 of Tirer, Huang, Niles-Weed 2023.
    """
    if kind == "ce":
        return functional.cross_entropy(logits, y, reduction=reduction)
    target = functional.one_hot(y, logits.shape[1]).to(logits.dtype)
    each = 0.5 * (logits - target).square().sum(1)
    return each.mean() if reduction == "mean" else each.sum()
