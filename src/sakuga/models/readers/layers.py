"""Named weights from a file that is not trusted: a shape is checked before its values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sakuga.errors import StyleError

Weights = NDArray[np.float32]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One weight of a source that can be read, but has not been."""

    shape: Shape
    read: Callable[[], Weights]


@dataclass(frozen=True)
class Layers:
    """All weights of a source, by the names they have there."""

    source: str  # what the user gave, for messages
    layers: Mapping[str, Layer]

    def take(self, network: str, expected: Mapping[str, Shape]) -> dict[str, Weights]:
        """Read exactly the layers a network has.

        Args:
            network: its name, for messages.
            expected: the shape of each layer, by name.

        Raises:
            StyleError: a layer is missing, unknown, of another shape or not finite: it says which.
        """
        for name, shape in expected.items():
            if name not in self.layers:
                raise StyleError(
                    f"{self.source}: lacks the layer {name} {shape} of {network}; "
                    "get the whole file again"
                )
            found = self.layers[name].shape
            if found != shape:
                raise StyleError(
                    f"{self.source}: the layer {name} has the shape {found}, that of {network} is "
                    f"{shape}; it is of another network"
                )
        for name in sorted(self.layers.keys() - expected.keys()):
            raise StyleError(
                f"{self.source}: has the layer {name} {self.layers[name].shape}, which {network} "
                "lacks; it is of another network"
            )
        weights = {}
        for name in expected:
            weights[name] = self.layers[name].read()
            assert weights[name].shape == expected[name], name
            if not np.isfinite(weights[name]).all():
                raise StyleError(
                    f"{self.source}: the layer {name} holds values that are not finite; "
                    "the file is damaged, get it again"
                )
        return weights
