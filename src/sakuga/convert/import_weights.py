"""Import a source of weights: recognise, build, state the facts, try, write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sakuga.convert.check import paints_size
from sakuga.convert.foreign_onnx import Feeding
from sakuga.convert.foreign_onnx import build as build_foreign
from sakuga.convert.network import Network
from sakuga.convert.recognise import build_network, is_onnx, read_layers
from sakuga.errors import OptionError, OutputError, StyleError
from sakuga.files import write_bytes
from sakuga.styles import StyleSpec, write_spec


@dataclass(frozen=True)
class Credits:
    """What only the user knows of the weights."""

    name: str | None = None  # of the style; None: from the name of the file
    licence: str = "LicenseRef-unknown"  # SPDX identifier
    attribution: tuple[str, ...] = ()


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
        source: a file or folder; see `recognise.read_layers`, or an onnx file.
        out: the style file; its name gives the style's name unless `credits` does.
        feeding: how a foreign onnx network is fed.
        credits: what goes into the file beside the weights.

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
    network = _network(source, feeding or Feeding())
    spec = _spec(network, source, credits, out)
    write_spec(network.model, spec)
    content = network.model.SerializeToString()
    reason = paints_size(content, spec.size_multiple, spec.minimum_side)
    if reason is not None:
        raise StyleError(f"{source}: the style does not paint ({reason}); the file is damaged")
    write_bytes(out, content)
    return spec


def _network(source: Path, feeding: Feeding) -> Network:
    if is_onnx(source):
        return build_foreign(source, feeding)
    layers = read_layers(source)
    if feeding != Feeding():
        raise OptionError(
            "--range, --layout, --multiple, --minimum-side and --bgr say how a foreign ONNX file "
            f"is fed; {source} is known, leave them out"
        )
    return build_network(layers)


def _spec(network: Network, source: Path, credits: Credits, out: Path) -> StyleSpec:
    name = credits.name or re.sub(r"[^a-z0-9_-]+", "-", out.stem.lower()).strip("-_")[:64]
    try:
        return StyleSpec(
            name=name,
            version="imported",
            description=f"Imported weights of {network.name}.",
            size_multiple=network.size_multiple,
            minimum_side=network.minimum_side,
            receptive_radius=network.receptive_radius,
            licence=credits.licence,
            attribution=(*network.attribution, *credits.attribution),
            training={"imported from": source.name},
        )
    except ValueError as error:
        raise OptionError(f"{error}; give --name") from error
