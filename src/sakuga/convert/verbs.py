"""`sakuga train`, whose result is made a style, `export`, `blend`, `import-weights`.

Each imports what it needs when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.errors import OptionError
from sakuga.extras import need
from sakuga.train.command import Request, run_training

Layout = Literal["nchw", "nhwc"]
Paths = Annotated[tuple[Path, ...], Parameter(consume_multiple=True, show_default=False)]


@dataclass(frozen=True)
class Credits:
    """What only the user knows of weights.

    Parameters
    ----------
    name
        The style's name; otherwise that of the file.
    licence
        The weights' licence, as an SPDX identifier.
    attribution
        Whom to thank, a line; may be given more than once.
    """

    name: str | None = None
    licence: str = "LicenseRef-unknown"
    attribution: Annotated[tuple[str, ...], Parameter(name="--credit", show_default=False)] = ()


@dataclass(frozen=True)
class Feeding:
    """How a foreign ONNX network is fed; None: find out.

    Parameters
    ----------
    value_range
        Least and greatest value that an ONNX network takes and gives: -1 1, 0 1 or 0 255.
    layout
        Order of an ONNX network's axes; otherwise as its file says.
    multiple
        Pixels: an ONNX network takes sizes that are multiples of this; otherwise tried out.
    minimum_side
        Pixels: an ONNX network takes pictures no smaller than this.
    bgr
        An ONNX network takes blue first.
    """

    value_range: Annotated[tuple[float, float] | None, Parameter(name="--range")] = None
    layout: Layout | None = None
    multiple: int | None = None
    minimum_side: int | None = None
    bgr: bool = False

    def __post_init__(self) -> None:
        """Raise OptionError for a value out of its range."""
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            low, high = self.value_range
            raise OptionError(f"range is {low:g} to {high:g}; the first must be the smaller")
        for name, value in (("multiple", self.multiple), ("minimum-side", self.minimum_side)):
            if value is not None and not 1 <= value <= 4096:
                raise OptionError(f"{name} is {value} pixels; it must be from 1 to 4096")


def train(
    config: str | None = None, *, request: Annotated[Request | None, Parameter(name="*")] = None
) -> None:
    """Train a style from photos and drawings.

    Example:  sakuga train novel --set pairs=pairs --minutes 60

    Parameters
    ----------
    config
        A recipe (novel, storybook, manga, cartoongan, smoke), or a TOML file of settings.
    """
    modules = ("torch", "lightning_fabric", "safetensors", "google_crc32c", "cv2", "tensorboard")
    need("sakuga train", "train", *modules, "onnx", "onnxscript", "onnxslim")
    request = replace(request or Request(), config=config)
    run = run_training(request)
    if run is not None:
        from sakuga.convert.onnx_export import export_run

        style = export_run(run)
        if not request.quiet:
            print(f"to paint with it: sakuga paint photo.jpg --style {style}")


def export(
    source: str,
    out: Path,
    *,
    precision: Literal["fp16", "fp32", "int8"] = "fp16",
    calibrate: Path | None = None,
    page: Path | None = None,
) -> None:
    """Make a style of a training, or give one another form.

    Example:  sakuga export runs/mine mine.onnx

    Parameters
    ----------
    source
        A run's folder, or a checkpoint; or a style's name or file.
    out
        The style file, .onnx; .safetensors for the tensors alone; .xml, .pt2, .tflite, .param or
        .mlpackage for other runtimes; or a page's folder.
    precision
        Of the weights: fp16 halves the file, int8 is faster where the processor has VNNI.
    calibrate
        Photos for int8, a folder or tar file; half of them measure what it costs.
    page
        A built page: OUT becomes one like it that paints in the browser, with this style.
    """
    need("sakuga export", "train", "onnx", "safetensors")
    from sakuga.convert import export as command

    print(command.export(source, out, precision, calibrate, page))
    if out.suffix == ".onnx" and out.is_file():
        print(f"to use it: sakuga paint photo.jpg --style {out}")


def blend(
    first: str,
    second: str,
    out: Path,
    *,
    share: float = 0.5,
    strip: Paths = (),
) -> None:
    """Make a style between two of one architecture.

    Its weights are the mean of theirs.

    Example:  sakuga blend novel mine.onnx between.onnx --share 0.4 --strip photo.jpg

    Parameters
    ----------
    first
        A style's name or file.
    second
        Another, best one that was fine-tuned from the first.
    out
        The style file, .onnx.
    share
        Of the second style, from 0 to 1.
    strip
        Photos to draw from one style to the other, in steps, in a picture beside OUT.
    """
    need("sakuga blend", "train", "onnx")
    from sakuga.convert import export as command

    command.blend(first, second, out, share, strip)


def import_weights(
    source: Path,
    out: Path,
    *,
    credits: Annotated[Credits | None, Parameter(name="*")] = None,
    feeding: Annotated[Feeding | None, Parameter(name="*")] = None,
    overwrite: bool = False,
) -> None:
    """Make a style of other people's weights.

    Example:  sakuga import-weights Hayao_net_G_float.pth hayao.onnx

    Parameters
    ----------
    source
        CartoonGAN (.pth, .npy folder, light, Andersson and Arvidsson's), AnimeGANv2 or v3,
        White-box, or any ONNX network.
    out
        The style file, .onnx.
    overwrite
        Replace a file that is there.
    """
    need(
        "sakuga import-weights", "train", "torch", "google_crc32c", "onnx", "onnxscript", "onnxslim"
    )
    from sakuga.convert import import_weights as command

    spec = command.import_weights(source, out, feeding, credits, overwrite=overwrite)
    print(f"{out}: {spec.name}, {spec.description[0].lower()}{spec.description[1:]}")
    print(f"to use it: sakuga paint photo.jpg --style {out}")
