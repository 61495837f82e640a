"""Every kind of samples a PNG, TIFF, GIF or WebP can hold is read right, or refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from handmade import (
    COLOUR,
    COLOUR_ALPHA,
    GRAY,
    GRAY_ALPHA,
    PALETTE,
    gif,
    levels,
    png,
    tiff,
)
from numpy.typing import NDArray
from PIL import Image
from samples import encoded

from sakuga.errors import InputError, UnreadSamplesError
from sakuga.images.read import picture_of, read_picture

HEIGHT, WIDTH = 9, 13
Samples = NDArray[np.int64]


def noise(top: int, channels: int = 0) -> Samples:
    """Samples from 0 to top - 1, with both ends among them."""
    shape = (HEIGHT, WIDTH, channels) if channels else (HEIGHT, WIDTH)
    samples = np.random.default_rng(top + channels).integers(0, top, shape)
    samples[0, :2] = np.array([0, top - 1]).reshape(2, *[1] * bool(channels))
    return samples


def gray(samples: Samples, bits: int) -> NDArray[np.uint8]:
    return np.repeat(levels(samples.reshape(HEIGHT, WIDTH, 1), bits), 3, axis=2)


def check(
    content: bytes,
    colour: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    off: float = 0,
) -> None:
    """Compare what every way of reading gives with what it must be, up to `off` levels."""
    loaded = Image.open(io.BytesIO(content))
    loaded.load()
    for picture in (
        read_picture(content),
        picture_of(Image.open(io.BytesIO(content))),
        picture_of(loaded),
    ):
        (frame,) = picture.frames
        assert np.abs(frame.colour.astype(int) - colour).max() <= off
        assert (frame.alpha is None) == (alpha is None)
        if alpha is not None and frame.alpha is not None:
            assert np.abs(frame.alpha.astype(int) - alpha).max() <= min(off, 1)


# --- PNG ---


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_gray_png(bits: int) -> None:
    samples = noise(2**bits)
    check(png(samples, bits, GRAY), gray(samples, bits))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("place", [0.0, 0.4, 1.0])
def test_gray_png_with_a_transparent_level(bits: int, place: float) -> None:
    samples = noise(2**bits)
    level = round(place * (2**bits - 1))
    samples[4, 5:7] = level
    if bits == 16:  # the neighbours look the same in 8 bits and are not transparent
        samples[5, 5:7] = min(max(level, 1), 65534) + np.array([-1, 1])
    content = png(samples, bits, GRAY, transparency=struct.pack(">H", level))
    check(content, gray(samples, bits), np.where(samples == level, 0, 255))


@pytest.mark.parametrize("bits", [8, 16])
def test_colour_png(bits: int) -> None:
    samples = noise(2**bits, 3)
    check(png(samples, bits, COLOUR), levels(samples, bits), off=bits // 16)


def test_colour_png_with_a_transparent_colour() -> None:
    samples = noise(256, 3)
    key = samples[3, 3].copy()
    samples[4, 4], samples[5, 5] = key, key ^ [1, 0, 0]
    content = png(samples, 8, COLOUR, transparency=struct.pack(">3H", *key.tolist()))
    check(content, samples, np.where((samples == key).all(axis=-1), 0, 255))


def test_deep_colour_png_with_a_transparent_colour() -> None:
    samples = noise(2**16, 3)
    key = samples[3, 3].copy()
    samples[4, 4], samples[5, 5], samples[6, 6] = key, key ^ [1, 0, 0], key ^ [0, 0, 256]
    content = png(samples, 16, COLOUR, transparency=struct.pack(">3H", *key.tolist()))
    alpha = np.where((samples == key).all(axis=-1), 0, 255)
    for picture in (read_picture(content), picture_of(Image.open(io.BytesIO(content)))):
        assert picture.frames[0].alpha is not None
        assert (picture.frames[0].alpha == alpha).all()
        assert np.abs(picture.frames[0].colour - levels(samples, 16).astype(int)).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_png_with_alpha(bits: int) -> None:
    samples = noise(2**bits, 2)
    alpha = levels(samples[..., 1], bits)
    check(png(samples, bits, GRAY_ALPHA), gray(samples[..., 0], bits), alpha, off=bits // 16)
    samples = noise(2**bits, 4)
    alpha = levels(samples[..., 3], bits)
    check(png(samples, bits, COLOUR_ALPHA), levels(samples[..., :3], bits), alpha, off=bits // 16)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png(bits: int) -> None:
    colours = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
    samples = noise(2**bits)
    check(png(samples, bits, PALETTE, palette=colours), colours[samples])
    for entries in ([7], [255] * (2**bits - 1) + [0], list(range(0, 2**bits, 1))):
        alphas = np.full(2**bits, 255)
        alphas[: len(entries)] = entries
        content = png(samples, bits, PALETTE, palette=colours, transparency=bytes(entries))
        check(content, colours[samples], alphas[samples])


def test_an_image_is_right_the_second_time_too() -> None:
    samples = noise(4)
    image = Image.open(io.BytesIO(png(samples, 2, GRAY, transparency=b"\0\1")))
    for _ in range(3):
        alpha = picture_of(image).frames[0].alpha
        assert alpha is not None and ((alpha == 0) == (samples == 1)).all()


def test_levels_of_an_animated_gray_png() -> None:
    samples = [np.roll(noise(4), shift, axis=1) for shift in range(3)]
    control = [
        struct.pack(">5I2H2B", number, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0) for number in (0, 1, 3)
    ]
    bodies = [png(each, 2, GRAY) for each in samples]
    data = [body[body.index(b"IDAT") + 4 : -16] for body in bodies]
    content = png(
        samples[0],
        2,
        GRAY,
        transparency=b"\0\1",
        before=[(b"acTL", struct.pack(">2I", 3, 0)), (b"fcTL", control[0])],
        after=[
            (b"fcTL", control[1]),
            (b"fdAT", struct.pack(">I", 2) + data[1]),
            (b"fcTL", control[2]),
            (b"fdAT", struct.pack(">I", 4) + data[2]),
        ],
    )
    frames = read_picture(content).frames
    assert len(frames) == 3
    for frame, wanted in zip(frames, samples, strict=True):
        assert (frame.colour == gray(wanted, 2)).all()
        assert frame.alpha is not None and ((frame.alpha == 0) == (wanted == 1)).all()


# --- TIFF ---

ways = pytest.mark.parametrize(
    ("order", "compression"),
    [("<", 1), (">", 1), ("<", 8), (">", 8)],
    ids=["II", "MM", "IIz", "MMz"],
)


@ways
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_gray_tiff(order: str, compression: int, bits: int, photometric: int) -> None:
    samples = noise(2**bits)
    content = tiff(samples, bits, photometric, order=order, compression=compression)
    if (order, bits, photometric) == (">", 16, 0):  # Pillow does not open it
        with pytest.raises(UnreadSamplesError, match="TIFF file of 16-bit gray samples"):
            read_picture(content)
        return
    check(content, gray(samples if photometric else 2**bits - 1 - samples, bits))


def test_twelve_bit_gray_tiff() -> None:
    samples = noise(2**12)
    rows = samples[:, :12].reshape(HEIGHT, 6, 2)  # two samples in three bytes
    first, second = rows[..., 0], rows[..., 1]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    content = tiff(packed.reshape(HEIGHT, -1), 8, 1, width=12, stated_bits=12)
    colour = read_picture(content).frames[0].colour
    assert (colour == levels(samples[:, :12, None], 12)).all()


@ways
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_colour_tiff(order: str, compression: int, planes: bool, bits: int) -> None:
    off = bits // 16
    way = {"order": order, "compression": compression, "planes": planes}

    def read(samples: Samples, photometric: int, **more: object) -> tuple[np.ndarray, np.ndarray]:
        (frame,) = read_picture(tiff(samples, bits, photometric, **way, **more)).frames
        alpha = frame.alpha if frame.alpha is not None else np.array(-1)
        return frame.colour.astype(int), alpha.astype(int)

    samples = noise(2**bits, 4)
    deep = samples.astype(np.float64) * 255 / (2**bits - 1)
    for given, options in ((samples[..., :3], {}), (samples, {"extra": [0]})):
        colour, alpha = read(given, 2, **options)
        assert np.abs(colour - deep[..., :3]).max() <= off + 0.5 and (alpha == -1).all()
    colour, alpha = read(samples, 2, extra=[2])
    assert np.abs(colour - deep[..., :3]).max() <= off + 0.5
    assert np.abs(alpha - deep[..., 3]).max() <= off + 0.5
    opacity = samples[..., 3:] / (2**bits - 1)
    dimmed = np.concatenate([np.rint(samples[..., :3] * opacity), samples[..., 3:]], axis=-1)
    colour, alpha = read(dimmed.astype(np.int64), 2, extra=[1])
    assert np.abs((colour - deep[..., :3]) * opacity).max() <= 3  # seen on black
    assert np.abs(alpha - deep[..., 3]).max() <= off + 0.5
    colour, _ = read(samples, 5)
    light = (255 - deep[..., :3]) * (255 - deep[..., 3:]) / 255
    assert np.abs(colour - light).max() <= 2


@ways
def test_gray_tiff_with_alpha(order: str, compression: int) -> None:
    samples = noise(256, 2)
    way = {"order": order, "compression": compression}
    check(tiff(samples, 8, 1, extra=[2], **way), gray(samples[..., 0], 8), samples[..., 1])
    check(tiff(samples, 8, 1, extra=[0], **way), gray(samples[..., 0], 8))
    opacity = samples[..., 1] / 255
    dimmed = np.stack([np.rint(samples[..., 0] * opacity), samples[..., 1]], axis=-1)
    (frame,) = read_picture(tiff(dimmed.astype(np.int64), 8, 1, extra=[1], **way)).frames
    assert np.abs((frame.colour[..., 0] - samples[..., 0]) * opacity).max() <= 2
    assert frame.alpha is not None and (frame.alpha == samples[..., 1]).all()
    for deep in (tiff(noise(2**16, 2), 16, 1, extra=[2], **way),):
        with pytest.raises(UnreadSamplesError, match="16-bit gray samples"):
            read_picture(deep)
    for extra in (1, 2):
        apart = tiff(samples, 8, 1, extra=[extra], planes=True, **way)
        with pytest.raises(UnreadSamplesError, match="planes apart"):
            read_picture(apart)


@ways
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_tiff(order: str, compression: int, bits: int) -> None:
    colours = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
    table = (colours * 257).T.ravel().tolist()
    tag = (320, 3, len(table), struct.pack(f"{order}{len(table)}H", *table))
    samples = noise(2**bits)
    content = tiff(samples, bits, 3, order=order, compression=compression, tags=[tag])
    check(content, colours[samples])


@ways
@pytest.mark.parametrize(
    ("sample_format", "bits", "channels", "photometric", "found"),
    [
        (2, 8, 0, 1, "signed samples whose range is not stated"),
        (2, 16, 0, 1, "signed samples whose range is not stated"),
        (1, 32, 0, 1, "32-bit"),
        (3, 32, 0, 1, "floating-point samples whose range is not stated"),
        (3, 16, 0, 1, "TIFF file of 16-bit floating-point gray samples"),
        (3, 32, 3, 2, "TIFF file of 32-bit floating-point RGB samples"),
        (1, 16, 3, 8, "TIFF file of 16-bit Lab samples"),
        (2, 16, 3, 2, "TIFF file of 16-bit signed RGB samples"),
    ],
)
def test_tiff_samples_that_are_not_read_are_named(
    order: str,
    compression: int,
    sample_format: int,
    bits: int,
    channels: int,
    photometric: int,
    found: str,
) -> None:
    samples = noise(100, channels)
    content = tiff(
        samples,
        bits,
        photometric,
        order=order,
        compression=compression,
        sample_format=sample_format,
    )
    with pytest.raises(
        UnreadSamplesError, match=f"{found}.*; convert it to 8 or 16 bits"
    ) as caught:
        read_picture(content, name="scan.tif")
    assert "give a" not in str(caught.value)


def test_a_big_tiff_is_named_too() -> None:
    content = encoded(Image.new("RGB", (4, 4)), "TIFF", big_tiff=True)
    assert read_picture(content).frames[0].colour.shape == (4, 4, 3)
    entry = struct.Struct("<HHQ3H")
    ten_bits = content.replace(entry.pack(258, 3, 3, 8, 8, 8), entry.pack(258, 3, 3, 10, 10, 10))
    with pytest.raises(InputError, match="TIFF file of 10-bit RGB samples"):
        read_picture(ten_bits)


# --- GIF and WebP ---


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("grays", [False, True])
@pytest.mark.parametrize("clear", [None, 0, 1])
def test_gif(bits: int, grays: bool, clear: int | None) -> None:
    colours = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
    if grays:
        colours = np.repeat(np.arange(2**bits)[:, None], 3, axis=1)
    samples = noise(2**bits)
    alpha = None if clear is None else np.where(samples == clear, 0, 255)
    check(gif(samples, bits, colours, clear), colours[samples], alpha)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_webp(mode: str) -> None:
    samples = noise(256, 4).astype(np.uint8)
    image = Image.fromarray(samples, "RGBA").convert(mode)
    expected = np.asarray(image.convert("RGBA")).astype(int)
    content = encoded(image, "WEBP", lossless=True, exact=True)
    check(content, expected[..., :3], expected[..., 3] if "A" in mode else None)
