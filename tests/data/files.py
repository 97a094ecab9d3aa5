"""Tiny images and sounds for the tests."""

import io

import numpy as np


def image(seed: int = 0, *, form: str = "PNG", size: tuple[int, int] = (12, 8)) -> bytes:
    """A picture of noise, `size` = (width, height)."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=form)
    return out.getvalue()


def sound(
    hertz: float = 440.0, *, form: str = "WAV", rate: int = 8000, seconds: float = 0.25
) -> bytes:
    """A stereo sine, amplitude 0.5, the same in both channels."""
    import soundfile

    time = np.arange(int(rate * seconds)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hertz * time)
    out = io.BytesIO()
    soundfile.write(out, np.stack([wave, wave], axis=1), rate, format=form)
    return out.getvalue()
