"""The table of model families: where the blocks are, and what inside a block writes to the stream.

A new family is one row. What is not in the table is opened by the fallback: the longest list of
equal blocks is taken as the depth, and the model page says so.
"""

from dataclasses import dataclass
from typing import Literal

Modality = Literal["text", "image", "audio"]


@dataclass(frozen=True)
class Family:
    """Module paths of one family, relative to the trunk (the model without its head).

    `blocks` may hold one `*`, which walks a list of stages. `attention` and `mlp` name the module
    whose output is added to the residual stream. Convolutional families give `main` and `skip`
    instead; an empty `skip` means that the block's input is the skip path where shapes allow it.
    """

    name: str
    model_types: tuple[str, ...]
    modality: Modality
    blocks: str
    attention: str = ""
    mlp: str = ""
    final: str = ""  # the norm after the last block; empty: the trunk's own output is final
    trunk: str = ""  # where the trunk is below the base model
    convolutional: bool = False
    main: str = ""
    skip: str = ""
    pooling: str = "mean"  # what the page proposes
    sublayers_add: bool = False  # attention and MLP return the stream with their part added
    note: str = ""


_POST_NORM = dict(attention="post_attention_layernorm", mlp="post_feedforward_layernorm")

# fmt: off
FAMILIES: tuple[Family, ...] = (
    Family(
        "Llama-like decoder",
        (
            "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "gemma",
            "olmo", "phi3", "smollm3", "granite", "cohere", "starcoder2", "stablelm", "deepseek_v3",
            "ministral",
        ),
        "text", "layers", "self_attn", "mlp", "norm", pooling="last",
    ),
    Family(
        "Decoder with norms after its sublayers", ("gemma2", "gemma3_text", "olmo2", "olmo3"),
        "text", "layers", final="norm", pooling="last", **_POST_NORM,
    ),
    Family("Phi", ("phi",), "text", "layers", "self_attn", "mlp", "final_layernorm",
           pooling="last"),
    Family("GPT-2", ("gpt2", "gpt_bigcode", "gpt_neo", "gptj"), "text", "h", "attn", "mlp", "ln_f",
           pooling="last"),
    Family("BLOOM and Falcon", ("bloom", "falcon"), "text", "h", "self_attention", "mlp", "ln_f",
           pooling="last", sublayers_add=True,
           note="the MLP of these models returns the stream with its own part already added"),
    Family("GPT-NeoX and Pythia", ("gpt_neox",), "text", "layers", "attention", "mlp",
           "final_layer_norm", pooling="last"),
    Family("OPT", ("opt",), "text", "decoder.layers", "self_attn", "", "decoder.final_layer_norm",
           pooling="last"),
    Family(
        "BERT-like encoder",
        (
            "bert", "roberta", "xlm-roberta", "camembert", "electra", "mpnet", "deberta-v2",
            "data2vec-text",
        ),
        "text", "encoder.layer", "attention.output.dense", "output.dense",
        note="norms sit inside the blocks, so sublayer outputs are taken before them",
    ),
    Family("DistilBERT", ("distilbert",), "text", "transformer.layer", "attention.out_lin", "ffn"),
    Family("ModernBERT", ("modernbert",), "text", "layers", "attn", "mlp", "final_norm"),
    Family("CLIP and SigLIP text tower", ("clip_text_model", "siglip_text_model"), "text",
           "encoder.layers", "self_attn", "mlp", "final_layer_norm", pooling="last"),
    Family("ViT", ("vit", "deit"), "image", "layers", "attention", "mlp", "layernorm",
           pooling="cls"),
    Family("DINOv2", ("dinov2", "dinov2_with_registers"), "image", "encoder.layer",
           "layer_scale1", "layer_scale2", "layernorm", pooling="cls"),
    Family("CLIP and SigLIP vision tower", ("clip_vision_model", "siglip_vision_model"), "image",
           "encoder.layers", "self_attn", "mlp", "post_layernorm", pooling="mean"),
    Family("CLIP and SigLIP, vision side", ("clip", "siglip"), "image",
           "encoder.layers", "self_attn", "mlp", "post_layernorm", trunk="vision_model"),
    Family("ResNet", ("resnet",), "image", "encoder.stages.*.layers", convolutional=True,
           main="layer", skip="shortcut", final="pooler"),
    Family("ConvNeXt", ("convnext", "convnextv2"), "image", "encoder.stages.*.layers",
           convolutional=True, main="drop_path", final="layernorm"),
    Family("EfficientNet", ("efficientnet",), "image", "encoder.blocks", convolutional=True,
           main="projection", final="pooler"),
    Family("EfficientNet-lite", ("efficientnet-lite0", "efficientnet-lite2"), "image", "blocks",
           convolutional=True, main="main", final="pool"),
    Family("Residual CNN", ("residual-cnn",), "image", "blocks", convolutional=True,
           main="main", skip="skip", final="penultimate"),
    Family("MLP", ("mlp",), "image", "blocks", convolutional=True, final="penultimate"),
    Family("wav2vec 2.0, HuBERT, WavLM", ("wav2vec2", "hubert", "wavlm"), "audio",
           "encoder.layers", "attention", "feed_forward", "encoder"),
    Family("Whisper encoder", ("whisper",), "audio", "layers", "self_attn", "fc2", "layer_norm",
           trunk="encoder"),
    Family("Audio spectrogram transformer", ("audio-spectrogram-transformer",), "audio", "layers",
           "attention", "mlp", "layernorm", pooling="cls"),
    Family("CREPE", ("crepe-tiny", "crepe-full"), "audio", "blocks", convolutional=True,
           final="pool"),
    Family(
        "LLaVA-like, language side",
        ("llava", "llava_next", "llava_onevision", "vipllava", "paligemma", "idefics3", "smolvlm"),
        "text", "layers", "self_attn", "mlp", "norm", trunk="language_model", pooling="last",
        note="texts run through the language side; pictures enter with the cross-modal page",
    ),
)
# fmt: on

BY_TYPE = {model_type: family for family in FAMILIES for model_type in family.model_types}
