"""Tiny random models of each family, written as real folders: real code paths, no download."""

import json
from pathlib import Path

import torch
import transformers

_SENTENCE = (
    "the a capital of france italy japan is paris rome tokyo red green blue dog cat runs sleeps in "
    "on over city country river and not very small large old new house tree bird sky . , ?"
)
WORDS = _SENTENCE.split()

_TEXT = dict(vocab_size=len(WORDS) + 4, pad_token_id=0, bos_token_id=1, eos_token_id=2)
_VISION = dict(image_size=32, patch_size=8, num_channels=3)


def write_tokenizer(folder: Path) -> None:
    """A word-level tokenizer over WORDS, saved as tokenizer.json."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = ["<pad>", "<s>", "</s>", "<unk>"]
    vocabulary = {word: i for i, word in enumerate(special + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        unk_token="<unk>", model_max_length=64,
    ).save_pretrained(folder)  # fmt: skip


def _small(**more: object) -> dict:
    return (
        dict(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32)
        | more
    )


def _llama() -> torch.nn.Module:
    config = transformers.LlamaConfig(**_TEXT, **_small(num_key_value_heads=1))
    return transformers.LlamaForCausalLM(config)


def _qwen() -> torch.nn.Module:
    config = transformers.Qwen3Config(**_TEXT, **_small(num_key_value_heads=1, head_dim=8))
    return transformers.Qwen3ForCausalLM(config)


def _gemma2() -> torch.nn.Module:
    config = transformers.Gemma2Config(**_TEXT, **_small(num_key_value_heads=1, head_dim=8))
    return transformers.Gemma2ForCausalLM(config)


def _gpt2() -> torch.nn.Module:
    config = transformers.GPT2Config(**_TEXT, n_embd=16, n_layer=3, n_head=2, n_positions=64)
    return transformers.GPT2LMHeadModel(config)


def _neox() -> torch.nn.Module:
    return transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**_TEXT, **_small()))


def _bert() -> torch.nn.Module:
    config = transformers.BertConfig(**_TEXT, **_small(), max_position_embeddings=64)
    return transformers.BertModel(config)


def _distilbert() -> torch.nn.Module:
    config = transformers.DistilBertConfig(
        vocab_size=_TEXT["vocab_size"], dim=16, n_layers=3, n_heads=2, hidden_dim=32
    )
    return transformers.DistilBertModel(config)


def _vit() -> torch.nn.Module:
    return transformers.ViTModel(transformers.ViTConfig(**_VISION, **_small()))


def _clip() -> torch.nn.Module:
    config = transformers.CLIPVisionConfig(**_VISION, **_small())
    return transformers.CLIPVisionModel(config)


def _dinov2() -> torch.nn.Module:
    return transformers.Dinov2Model(transformers.Dinov2Config(**_VISION, **_small()))


def _resnet() -> torch.nn.Module:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2], layer_type="basic", num_labels=5
    )
    return transformers.ResNetForImageClassification(config)


def _wav2vec2() -> torch.nn.Module:
    config = transformers.Wav2Vec2Config(
        **_small(), conv_dim=(8, 8), conv_kernel=(10, 3), conv_stride=(5, 2),
        num_feat_extract_layers=2, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
        vocab_size=8,
    )  # fmt: skip
    return transformers.Wav2Vec2Model(config)


def _llava() -> torch.nn.Module:
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**_VISION, **_small()),
        text_config=transformers.LlamaConfig(**_TEXT, **_small(num_key_value_heads=1)),
        image_token_index=3,
    )
    return transformers.LlavaForConditionalGeneration(config)


BUILDERS = {
    "llama": _llama, "qwen3": _qwen, "gemma2": _gemma2, "gpt2": _gpt2, "gpt_neox": _neox,
    "bert": _bert, "distilbert": _distilbert, "vit": _vit, "clip_vision_model": _clip,
    "dinov2": _dinov2, "resnet": _resnet, "wav2vec2": _wav2vec2, "llava": _llava,
}  # fmt: skip
VISION = ("vit", "clip_vision_model", "dinov2", "resnet")
AUDIO = ("wav2vec2",)


def write_model(kind: str, folder: Path, *, seed: int = 0) -> Path:
    """Save a tiny random model of one family with what it needs to prepare its inputs."""
    torch.manual_seed(seed)
    model = BUILDERS[kind]().eval()
    with torch.no_grad():  # larger than the default start, so that layers differ visibly
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    model.save_pretrained(folder)
    if kind in VISION:
        size = {"height": 32, "width": 32}
        facts = {
            "image_processor_type": "ViTImageProcessor", "size": size, "do_resize": True,
            "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
        }  # fmt: skip
        (folder / "preprocessor_config.json").write_text(json.dumps(facts))
    elif kind in AUDIO:
        extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000)
        extractor.save_pretrained(folder)
    else:
        write_tokenizer(folder)
    return folder


def sentences(n: int, *, seed: int = 0) -> list[str]:
    """Random sentences of 1 to 20 words."""
    generator = torch.Generator().manual_seed(seed)
    out = []
    for _ in range(n):
        length = int(torch.randint(1, 20, (1,), generator=generator))
        picks = torch.randint(0, len(WORDS), (length,), generator=generator).tolist()
        out.append(" ".join(WORDS[i] for i in picks))
    return out
