"""Whose network a source of weights is, by its layers; the generator is then built and filled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sakuga.errors import StyleError
from sakuga.models import cartoongan, cartoongan_light, whitebox
from sakuga.models.andersson import AnderssonGenerator
from sakuga.models.animegan import AnimeGenerator
from sakuga.models.cartoongan import CartoonGenerator
from sakuga.models.cartoongan_light import LightGenerator
from sakuga.models.readers.layers import Layers, Shape
from sakuga.models.readers.source import KNOWN
from sakuga.models.whitebox import WhiteBoxGenerator

Generator = (
    CartoonGenerator | AnimeGenerator | WhiteBoxGenerator | LightGenerator | AnderssonGenerator
)


@dataclass(frozen=True)
class Published:
    """A network whose weights others have published, and how their files hold them."""

    name: str  # in words, as its paper calls it
    attribution: tuple[str, ...]
    build: Callable[[], Generator]
    published_name: Callable[[str, Shape], str] = lambda ours, _: ours  # of one of our layers
    own_layers: Callable[[Layers], Layers] = lambda layers: layers  # without what else is there
    channels_last: bool = False  # kernels are (K, K, in, out), as TensorFlow keeps them
    bgr: tuple[str, ...] = ()  # tensors whose colours begin with blue: turned round

    def names(self) -> dict[str, tuple[str, Shape]]:
        """By the published name of each layer: ours, and its shape in our network."""
        with torch.device("meta"):  # shapes alone
            state = self.build().state_dict()
        shapes = {name: tuple(v.shape) for name, v in state.items() if v.is_floating_point()}
        return {self.published_name(ours, shape): (ours, shape) for ours, shape in shapes.items()}

    def has_any(self, layers: Layers) -> bool:
        """True if any layer is of this network: one that lacks some is then told which."""
        return bool(self.own_layers(layers).layers.keys() & self.names().keys())

    def read(self, layers: Layers) -> dict[str, Tensor]:
        """Read and check all layers, and give them as the `state_dict` of `build`.

        Raises:
            StyleError: a layer is missing, unknown, of a wrong shape or not finite.
        """
        names = self.names()
        expected = {
            theirs: tuple(shape[axis] for axis in self._order(shape))
            for theirs, (_, shape) in names.items()
        }
        state = {}
        for theirs, values in self.own_layers(layers).take(self.name, expected).items():
            ours, shape = names[theirs]
            turned = values.transpose(np.argsort(self._order(shape)))
            if ours in self.bgr:
                turned = np.flip(turned, 0 if shape[0] == 3 else 1)
            state[ours] = torch.from_numpy(np.array(turned, order="C"))
        return state

    def generator(self, layers: Layers) -> Generator:
        """The network, with weights that are read and checked. Raises as `read` does."""
        with torch.device("meta"):
            network = self.build()
        network.load_state_dict(self.read(layers), assign=True)
        return network.eval()

    def _order(self, shape: Shape) -> tuple[int, ...]:
        """The axes of our weight (out, in, K, K) in the order in which the file has them."""
        if len(shape) != 4 or not self.channels_last:
            return tuple(range(len(shape)))
        return (2, 3, 0, 1) if shape[1] == 1 else (2, 3, 1, 0)  # a depthwise kernel's in comes last


CARTOONGAN = Published(
    name="CartoonGAN",
    attribution=("CartoonGAN, Chen, Lai and Liu, CVPR 2018",),
    build=lambda: CartoonGenerator(epsilon=1e-9),
    published_name=cartoongan.published_name,
    bgr=("head.0.weight", "tail.weight", "tail.bias"),
)
PUBLISHED = (
    CARTOONGAN,
    Published(
        name="AnimeGANv2",
        attribution=("AnimeGANv2, Chen, Liu and Chen, 2020",),
        build=AnimeGenerator,
    ),
    Published(
        name="White-box Cartoonization",
        attribution=("White-box Cartoonization, Wang and Yu, CVPR 2020",),
        build=WhiteBoxGenerator,
        published_name=whitebox.published_name,
        own_layers=whitebox.generator_layers,
        channels_last=True,
        bgr=("convs.0.weight", "convs.9.weight", "convs.9.bias"),
    ),
    Published(
        name="CartoonGAN light",
        attribution=(
            "CartoonGAN, Chen, Lai and Liu, CVPR 2018",
            "CartoonGAN light for TensorFlow 2, by its authors",
        ),
        build=LightGenerator,
        published_name=cartoongan_light.published_name,
        own_layers=cartoongan_light.generator_layers,
        channels_last=True,
    ),
    Published(
        name="Andersson and Arvidsson's CartoonGAN",
        attribution=(
            "CartoonGAN, Chen, Lai and Liu, CVPR 2018",
            "Photo to Hayao Miyazaki style, Andersson and Arvidsson, 2020",
        ),
        build=AnderssonGenerator,
    ),
)


def recognise(layers: Layers) -> Published:
    """The network whose layers these are.

    Raises:
        StyleError: it is of no network known here.
    """
    for published in PUBLISHED:
        if published.has_any(layers):
            return published
    names = ", ".join(sorted(layers.layers)[:4]) or "none"
    raise StyleError(
        f"{layers.source}: its layers ({names}, ...) are of no network known; known are {KNOWN}"
    )
