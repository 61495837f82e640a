"""Import a source of weights: recognise it, state the facts, write a style, see it paint."""

from __future__ import annotations

import re
from pathlib import Path

from sakuga.convert import foreign_onnx
from sakuga.convert.foreign_onnx import Foreign
from sakuga.convert.onnx_export import export_onnx
from sakuga.convert.verbs import Credits, Feeding
from sakuga.errors import OptionError, OutputError
from sakuga.files import write_bytes
from sakuga.models.readers.source import read_layers
from sakuga.models.recognise import Generator, recognise
from sakuga.paths import never_replace
from sakuga.styles import StyleSpec, write_spec
from sakuga.styles.metadata import is_onnx


def import_weights(
    source: Path,
    out: Path,
    feeding: Feeding | None = None,
    credits: Credits | None = None,
    *,
    overwrite: bool = False,
) -> StyleSpec:
    """Write other people's weights as a style file.

    Args:
        source: a file or folder; see `readers.source.read_layers`, or an onnx file.
        out: the style file; its name gives the style's name unless `credits` does.

    Raises:
        StyleError: unknown, damaged, or a layer that does not fit.
        OptionError: options that are missing or make no sense.
        OutputError: `out` cannot be written, or is there.
    """
    credits = credits or Credits()
    if out.suffix != ".onnx":
        raise OptionError(f"{out}: a style file ends in .onnx")
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: is there already; use --overwrite, or another name")
    never_replace(out, source)
    feeding = feeding or Feeding()
    if is_onnx(source):
        return _import_onnx(source, out, feeding, credits)
    layers = read_layers(source)
    if feeding != Feeding():
        raise OptionError(
            "--range, --layout, --multiple, --minimum-side and --bgr say how a foreign ONNX file "
            f"is fed; {source} is known, leave them out"
        )
    published = recognise(layers)
    generator = published.generator(layers)
    spec = _spec(published.name, published.attribution, generator, source, credits, out)
    export_onnx(generator, spec, out, half_weights=False)
    return spec


def _import_onnx(source: Path, out: Path, feeding: Feeding, credits: Credits) -> StyleSpec:
    foreign = foreign_onnx.build(source, feeding)
    spec = _spec(foreign.name, foreign.attribution, foreign, source, credits, out)
    write_spec(foreign.model, spec)
    write_bytes(out, foreign.model.SerializeToString())
    return spec


def _spec(
    name: str,
    attribution: tuple[str, ...],
    network: Generator | Foreign,
    source: Path,
    credits: Credits,
    out: Path,
) -> StyleSpec:
    style = credits.name or re.sub(r"[^a-z0-9_-]+", "-", out.stem.lower()).strip("-_")[:64]
    try:
        return StyleSpec(
            name=style,
            version="imported",
            description=f"Imported weights of {name}.",
            size_multiple=network.size_multiple,
            minimum_side=network.minimum_side,
            receptive_radius=network.receptive_radius,
            licence=credits.licence,
            attribution=(*attribution, *credits.attribution),
            training={"imported from": source.name},
        )
    except ValueError as error:
        raise OptionError(f"{error}; give --name") from error
