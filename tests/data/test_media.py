import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from backend.data import media
from backend.errors import DataError
from tests.data.files import image, sound

IMAGES = ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]
SOUNDS = ["WAV", "FLAC", "OGG", "MP3", "AIFF"]


@pytest.mark.parametrize("form", IMAGES)
def test_images_are_known_decoded_and_refused_when_cut(form):
    data = image(form=form)
    assert media.media_kind(data[: media.HEAD_BYTES]) == "image"
    assert media.check_image(data) == (12, 8)
    decoded = media.decode_image(data)
    assert (decoded.size, decoded.mode) == ((12, 8), "RGB")
    for check in (media.check_image, media.decode_image):
        with pytest.raises(DataError, match="cannot be decoded"):
            check(data[: len(data) // 2])


@pytest.mark.parametrize("form", SOUNDS)
def test_sounds_are_known_and_decoded(form):
    data = sound(form=form)
    assert media.media_kind(data[: media.HEAD_BYTES]) == "audio"
    assert media.check_audio(data) == (pytest.approx(0.25, abs=0.01), 8000)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "AIFF"])
def test_cut_sounds_are_refused(form):
    data = sound(form=form)
    with pytest.raises(DataError, match="cannot be decoded"):
        media.check_audio(data[: len(data) // 2])


@pytest.mark.parametrize(
    "head", [b"", b"BM are the first letters of this text", b"\xff\xfe\0a\0b", b"RIFF0000AVI "]
)
def test_other_content_is_neither(head):
    assert media.media_kind(head) is None


def test_a_changed_byte_in_a_png_is_found():
    data = bytearray(image())
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DataError):
        media.check_image(bytes(data))


def test_pixels_are_limited_before_decoding(monkeypatch):
    monkeypatch.setattr(media, "MAX_PIXELS", 95)
    with pytest.raises(DataError, match="12 x 8 pixels"):
        media.check_image(image())


def test_turned_pictures_stand_upright():
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (12, 8)).save(out, format="JPEG", exif=exif)
    assert media.check_image(out.getvalue()) == (8, 12)
    assert media.decode_image(out.getvalue()).size == (8, 12)


def test_sixteen_bit_grey_is_scaled_not_clipped():
    out = io.BytesIO()
    Image.fromarray(np.full((2, 2), 0x8000, np.uint16)).save(out, format="PNG")
    assert np.asarray(media.decode_image(out.getvalue())).tolist() == [[[128] * 3] * 2] * 2


def test_thumbnails_fit():
    small = Image.open(io.BytesIO(media.thumbnail(image(size=(400, 200)), side=50)))
    assert (small.format, small.size) == ("PNG", (50, 25))


def test_resampling_keeps_the_tone():
    samples = media.decode_audio(sound(440, rate=44100), 16000)
    assert samples.dtype == np.float32
    assert samples.shape == (4000,)
    time = np.arange(4000) / 16000
    inner = slice(200, -200)  # the filter rings at the ends
    expected = 0.5 * np.sin(2 * np.pi * 440 * time)
    assert np.abs(samples - expected)[inner].max() < 2e-3


def test_channels_are_averaged():
    out = io.BytesIO()
    soundfile.write(out, np.tile([[0.5, -0.25]], (100, 1)), 8000, format="WAV")
    assert media.decode_audio(out.getvalue(), 8000) == pytest.approx(0.125, abs=1e-4)


def test_the_player_gets_mono_sixteen_bit():
    info = soundfile.info(io.BytesIO(media.wav_bytes(sound(form="FLAC"))))
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
    assert (info.samplerate, info.frames) == (8000, 2000)
    assert soundfile.info(io.BytesIO(media.wav_bytes(sound(), rate=16000))).frames == 4000


def test_sounds_that_cannot_be_used_are_refused(monkeypatch):
    out = io.BytesIO()
    soundfile.write(out, np.array([0.0, np.nan]), 8000, format="WAV", subtype="FLOAT")
    with pytest.raises(DataError, match="not finite"):
        media.check_audio(out.getvalue())
    with pytest.raises(DataError, match="no samples"):
        media.check_audio(sound(seconds=0))
    with pytest.raises(DataError, match="sample rate"):
        media.decode_audio(sound(), 0)
    monkeypatch.setattr(media, "MAX_SAMPLES", 100)
    with pytest.raises(DataError, match="more than"):
        media.check_audio(sound())
