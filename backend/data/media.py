"""Images and sounds: told apart by their content, decoded with limits."""

import io
import struct
import zlib
from typing import TYPE_CHECKING, Literal

import numpy as np

from backend.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MediaKind = Literal["image", "audio"]

HEAD_BYTES = 64  # enough for `media_kind`
MAX_PIXELS = 64_000_000
MAX_SAMPLES = 1 << 28  # over all channels; 1 GiB as float32

_IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
_STARTS: tuple[tuple[bytes, MediaKind], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF87a", "image"),
    (b"GIF89a", "image"),
    (b"II*\0", "image"),
    (b"MM\0*", "image"),
    (b"fLaC", "audio"),
    (b"OggS", "audio"),
    (b"ID3", "audio"),
)
_RIFF: dict[bytes, MediaKind] = {b"WAVE": "audio", b"WEBP": "image"}
_BLOCK_FRAMES = 1 << 18


def media_kind(head: bytes) -> MediaKind | None:
    """Whether a file is an image or a sound, from its first bytes; None if neither.

    PNG, JPEG, GIF, BMP, WebP and TIFF; WAV, FLAC, Ogg, MP3 and AIFF.
    """
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio"
    # BMP's two letters alone also start texts: the reserved bytes and the header size tell.
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and len(head) >= 18:
        return (
            "image" if head[14:18] in (b"\x0c\0\0\0", b"(\0\0\0", b"l\0\0\0", b"|\0\0\0") else None
        )
    # MPEG audio frame: sync bits, layer III, and no reserved bit rate or sample rate.
    if len(head) >= 4 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        valid = head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C
        return "audio" if valid and head[1] & 0x18 != 0x08 else None
    return None


def decode_image(data: bytes) -> "Image.Image":
    """The picture as RGB, upright; the first frame of a film.

    Transparency is dropped, not blended, as image models' own preprocessing does; 16-bit grey is
    scaled to 8 bits.

    Raises
    ------
    DataError : damaged, cut short, of another format, or above `MAX_PIXELS`.
    """
    from PIL import Image, ImageOps

    with _ImageErrors(), _open_image(data) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            grey = (np.asarray(upright).astype(np.uint16) >> 8).astype(np.uint8)
            upright = Image.fromarray(grey)
        return upright.convert("RGB")


def check_image(data: bytes) -> tuple[int, int]:
    """Decode once to see that the picture is whole; its width and height in pixels, upright.

    Raises
    ------
    DataError : as `decode_image`.
    """
    with _ImageErrors(), _open_image(data) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        # JPEG only: decode at an eighth of the size, which still reads every byte.
        image.draft("RGB", (max(width // 8, 1), max(height // 8, 1)))
        image.load()
    return (height, width) if turned else (width, height)


def thumbnail(data: bytes, *, side: int = 128) -> bytes:
    """A PNG of the picture, at most `side` pixels wide and high."""
    image = decode_image(data)
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def decode_audio(data: bytes, rate: int) -> np.ndarray:
    """The sound as one channel, float32 (n,), at `rate` samples per second.

    Channels are averaged; resampling is polyphase with scipy's default (Kaiser) filter.

    Raises
    ------
    DataError : damaged, empty, of another format, not finite, or above `MAX_SAMPLES`.
    """
    samples, own_rate = _read_audio(data)
    return _resample(samples.mean(axis=1, dtype=np.float32), own_rate, rate)


def check_audio(data: bytes) -> tuple[float, int]:
    """Decode once to see that the sound is whole; seconds, and samples per second.

    Raises
    ------
    DataError : as `decode_audio`.
    """
    samples, rate = _read_audio(data)
    return len(samples) / rate, rate


def wav_bytes(data: bytes, *, rate: int | None = None) -> bytes:
    """The sound as a 16-bit mono WAV file for the player, at its own rate unless one is given."""
    import soundfile

    samples, own_rate = _read_audio(data)
    rate = rate or own_rate
    mono = _resample(samples.mean(axis=1, dtype=np.float32), own_rate, rate)
    out = io.BytesIO()
    soundfile.write(out, np.clip(mono, -1, 1), rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def _open_image(data: bytes) -> "Image.Image":
    from PIL import Image

    image = Image.open(io.BytesIO(data), formats=_IMAGE_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"The picture has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million.",
            "Make it smaller.",
        )
    return image


class _ImageErrors:
    """Turn what Pillow raises for bad files into DataError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        from PIL import Image

        bomb = (Image.DecompressionBombError, Image.DecompressionBombWarning)
        broken = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
        odd = (TypeError, IndexError, KeyError, OverflowError, MemoryError)  # seen in plugins
        if isinstance(error, (*bomb, *broken, *odd)):
            raise DataError(
                f"The picture cannot be decoded ({_brief(error)}).", "Save it again as PNG or JPEG."
            ) from error


def _read_audio(data: bytes) -> tuple[np.ndarray, int]:
    """Samples, float32 (n, channels), and the rate; read in blocks, since headers can lie."""
    import soundfile

    _refuse_cut_short(data)
    blocks, count = [], 0
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = file.samplerate
            while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                count += block.size
                if count > MAX_SAMPLES:
                    raise DataError(
                        f"The sound has more than {MAX_SAMPLES >> 20} million samples.", "Cut it."
                    )
                blocks.append(block)
    except (soundfile.SoundFileError, OSError, ValueError, MemoryError, AssertionError) as error:
        raise _bad_sound(_brief(error)) from error
    if not blocks:
        raise _bad_sound("it has no samples")
    samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise _bad_sound("it holds values that are not finite")
    return samples, rate


def _refuse_cut_short(data: bytes) -> None:
    """WAV and AIFF state their size; the decoder does not mind when half of it is missing."""
    order = {b"RIFF": "<I", b"FORM": ">I"}.get(data[:4])
    if order is None or len(data) < 8:
        return
    (stated,) = struct.unpack_from(order, data, 4)
    streamed = stated >= 0x7FFF_F000  # written without knowing the length
    if not streamed and stated + 8 > len(data) + 1:
        raise _bad_sound(f"it is cut short: {len(data)} of {stated + 8} bytes are there")


def _bad_sound(why: str) -> DataError:
    return DataError(f"The sound cannot be decoded ({why}).", "Save it again as WAV or FLAC.")


def _resample(samples: np.ndarray, own_rate: int, rate: int) -> np.ndarray:
    if rate <= 0:
        raise DataError(f"{rate} is not a sample rate.", "Give samples per second, above 0.")
    if own_rate == rate:
        return samples
    from scipy.signal import resample_poly

    common = int(np.gcd(own_rate, rate))
    return resample_poly(samples, rate // common, own_rate // common).astype(np.float32)


def _brief(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.split("<_io")[0].rstrip(" .:") or type(error).__name__
