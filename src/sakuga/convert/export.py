"""`sakuga export`: a training or a style, in the form that is asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import onnx

from sakuga.convert.runtimes import RUNTIMES, export_runtime
from sakuga.errors import OptionError
from sakuga.extras import need
from sakuga.files import replacing, write_bytes
from sakuga.models.readers.torch_file import is_torch_file
from sakuga.paths import never_replace
from sakuga.styles import Style, find, read_spec
from sakuga.styles.tensors import store_full, store_half

STRIP_SIDE = 384  # pixels: longer side of a picture on a strip
Precision = Literal["fp16", "fp32", "int8"]


def export(
    source: str,
    out: Path,
    precision: Precision,
    calibrate: Path | None,
    page: Path | None = None,
) -> str:
    """Write a style or a training as a style file, as tensors, or into a page for the browser.

    Args:
        source, out, calibrate, page: as `sakuga export` takes them.
        precision: of the weights in a style file or an .xml; the other forms are float32 always.

    Returns:
        What is worth knowing of the result, in lines.

    Raises:
        SakugaError: the source, the options or the place cannot be used.
    """
    as_page = page is not None or (out.is_dir() and out.suffix not in RUNTIMES)
    if not as_page and out.suffix not in (".onnx", ".safetensors", *RUNTIMES):
        raise OptionError(
            f"{out}: ends in none of .onnx, .safetensors, {', '.join(RUNTIMES)}; for a folder that "
            "paints in the browser, give --page too"
        )
    if (precision == "int8") != (calibrate is not None):
        raise OptionError("--precision int8 and --calibrate PHOTOS go together")
    if not as_page and out.suffix != ".onnx" and precision == "int8":
        raise OptionError(f"{out}: int8 is a form of style files; name one, .onnx")
    never_replace(out, source)
    with tempfile.TemporaryDirectory() as folder:
        style = _style(source, Path(folder))
        if as_page:
            from sakuga.convert.page import export_page

            file = Path(folder) / "exported.onnx"
            told = _export_file(style, file, precision, calibrate)
            names = export_page(file, out, page)
            return f"{told}{out}: a page with {', '.join(names)}"
        if out.suffix in RUNTIMES:
            return export_runtime(style, out, precision == "fp16")
        if out.suffix == ".safetensors":
            from sakuga.styles.tensors import write_tensors

            count = write_tensors(style, out)
            return f"{out}: {count} tensors of {style.spec.name}, {_megabytes(out)}"
        told = _export_file(style, out, precision, calibrate)
    spec = read_spec(out)
    return f"{told}{out}: {spec.name} {spec.version}, {_megabytes(out)}"


def _export_file(style: Style, out: Path, precision: Precision, calibrate: Path | None) -> str:
    """Write a style file with weights of that precision; what int8 costs, in lines."""
    if calibrate is not None:
        return _export_int8(style, out, calibrate)
    model = onnx.load(style.path)
    store_full(model)
    if precision == "fp16":
        store_half(model)
    write_bytes(out, model.SerializeToString())
    return ""


def _style(source: str, folder: Path) -> Style:
    """The style of that name or file; a training is exported into `folder` first."""
    path = Path(source)
    if not path.is_dir() and not (path.is_file() and is_torch_file(path)):
        return find(source)
    need("sakuga export", "train", "torch", "onnxscript", "onnxslim")
    from sakuga.convert.onnx_export import export_checkpoint

    exported = folder / "style.onnx"
    export_checkpoint(path, exported)
    return Style(read_spec(exported), exported, "file")


def _export_int8(style: Style, out: Path, calibrate: Path) -> str:
    """Quantise with every other photo, measure on the rest, and only then write."""
    need("sakuga export --precision int8", "train", "cv2")
    from sakuga.convert.quantize import compare, quantise, read_photos

    photos = read_photos(calibrate)
    with replacing(out) as temporary:
        onnx.save(quantise(style, photos[::2]), temporary)
        small = Style(read_spec(temporary), temporary, "file")
        comparison = compare(style, small, photos[1::2])
    return f"{comparison}\n"


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def blend(first: str, second: str, out: Path, share: float, photos: tuple[Path, ...]) -> None:
    """Write the style between two, and with photos a strip of pictures beside it, OUT.png.

    Raises:
        SakugaError: a style, a photo or the place cannot be used, or the styles do not match.
    """
    from sakuga.convert.interpolate import interpolate, strip
    from sakuga.images.marks import Mark
    from sakuga.images.picture import Frame, Picture
    from sakuga.images.read import read_picture
    from sakuga.images.write import write_picture

    if out.suffix != ".onnx":
        raise OptionError(f"{out}: a style file ends in .onnx")
    never_replace(out, first, second)
    never_replace(out.with_suffix(".png"), *photos)
    styles = find(first), find(second)
    model = interpolate(*styles, share, out.stem)
    pixels = [read_picture(photo, max_side=STRIP_SIDE).frames[0].colour for photo in photos]
    write_bytes(out, model.SerializeToString())
    print(out)
    if pixels:
        drawn = Picture((Frame(strip(*styles, pixels)),))
        write_picture(drawn, out.with_suffix(".png"), mark=Mark(style=f"{first} {second}"))
        print(out.with_suffix(".png"))
