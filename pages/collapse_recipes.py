"""What can be trained from the page: a few recipes, and every setting of one's own."""

import streamlit as st

import ui

PRESETS = {
    "MLP on digits: 10 seconds": {
        "data": "demo:digits", "label": "digit", "net": "mlp", "blocks": 5, "width": 64,
        "weight_decay": 0.002, "epochs": 150, "drop": "1/3,2/3", "checkpoints": 20,
    },
    "MLP on digits, squared error": {
        "data": "demo:digits", "label": "digit", "net": "mlp", "blocks": 5, "width": 64,
        "weight_decay": 0.002, "epochs": 150, "drop": "1/3,2/3", "checkpoints": 20, "loss": "mse",
    },
    "MLP on digits, layer by layer": {
        "data": "demo:digits", "label": "digit", "net": "mlp", "blocks": 6, "width": 64,
        "weight_decay": 0.002, "epochs": 40, "layerwise": 1,
    },
    "Residual net on digits: a minute": {
        "data": "demo:digits", "label": "digit", "blocks": 4, "width": 32, "weight_decay": 0.002,
        "epochs": 60, "drop": "2/3,5/6", "checkpoints": 14,
    },
    "Residual net on MNIST: ten minutes": {
        "data": "demo:mnist", "label": "digit", "blocks": 4, "width": 32, "weight_decay": 0.002,
        "epochs": 40, "drop": "2/3,5/6", "checkpoints": 12,
    },
}  # fmt: skip
OWN = "my own"


def own_recipe() -> dict:
    """Every setting of a recipe."""
    refs = ui.labelled_pictures()
    one, two, three, four = st.columns(4)
    data = one.selectbox("Pictures", refs, refs.index("demo:digits"), key="own-data")
    label = two.text_input("Label column", "digit", key="own-label")
    net = three.selectbox("Net", ("mlp", "residual"), key="own-net")
    loss = four.selectbox("Loss", ("ce", "mse"), key="own-loss",
                          help="mse: half the squared distance to one-hot.")  # fmt: skip
    blocks = one.number_input("Blocks", 1, 64, 5, key="own-blocks")
    width = two.number_input("Width", 1, 1024, 64, key="own-width")
    epochs = three.number_input("Epochs", 1, 2000, 150, key="own-epochs")
    lr = four.number_input("Learning rate", 0.0001, 1.0, 0.05, format="%.4f", key="own-lr")
    decay = one.number_input("Weight decay", 0.0, 0.1, 0.002, format="%.4f", key="own-decay")
    drop = two.text_input("Divide it by 10 after", "1/3,2/3", key="own-drop",
                          help="Shares of the epochs.")  # fmt: skip
    bias = three.selectbox("Bias of the head", (1, 0), key="own-bias",
                           format_func=("without", "with").__getitem__)  # fmt: skip
    kept = four.number_input("Checkpoints", 2, 60, 20, key="own-checkpoints")
    return {"data": data, "label": label, "net": net, "loss": loss, "blocks": blocks,
            "width": width, "epochs": epochs, "lr": lr, "weight_decay": decay, "drop": drop,
            "head_bias": bias, "checkpoints": kept}  # fmt: skip
