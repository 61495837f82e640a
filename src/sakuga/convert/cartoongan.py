"""CartoonGAN (Chen, Lai, Liu, CVPR 2018, figure 2): the authors' weights, as .pth or .npy.

The published files name 24 convolutions and 21 instance norms; colours are in the order BGR, which
is turned round in the first and last convolution, so that the graph sees RGB like any other style.
"""

from __future__ import annotations

from sakuga.convert.graph import Graph
from sakuga.convert.layers import Layers, Shape, Weights
from sakuga.convert.network import Network

NAME = "CartoonGAN"
EPSILON = 1e-9  # of the instance norm
BLOCKS = range(4, 12)  # numbers of the residual blocks
_STAGES = (2, 3)  # numbers of the stages that halve the size
# Up again: number, channels, and the norm that follows.
_RISES = ((1, 128, 12), (2, 64, 13))


def expected_layers() -> dict[str, Shape]:
    """Name and shape of each layer, in the order of the network."""
    shapes: dict[str, Shape] = {}

    def conv(name: str, inputs: int, outputs: int, side: int = 3) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs, side, side)
        shapes[f"{name}.bias"] = (outputs,)

    def norm(name: str, channels: int) -> None:
        shapes[f"{name}.scale"] = shapes[f"{name}.shift"] = (channels,)

    conv("conv01_1", 3, 64, 7)
    norm("in01_1", 64)
    channels = 64
    for stage in _STAGES:
        conv(f"conv{stage:02}_1", channels, 2 * channels)
        conv(f"conv{stage:02}_2", 2 * channels, 2 * channels)
        norm(f"in{stage:02}_1", 2 * channels)
        channels *= 2
    for block in BLOCKS:
        for half in (1, 2):
            conv(f"conv{block:02}_{half}", 256, 256)
            norm(f"in{block:02}_{half}", 256)
    for rise, channels, norm_number in _RISES:
        # A transposed convolution's weight is (in, out, K, K).
        shapes[f"deconv{rise:02}_1.weight"] = (2 * channels, channels, 3, 3)
        shapes[f"deconv{rise:02}_1.bias"] = (channels,)
        conv(f"deconv{rise:02}_2", channels, channels)
        norm(f"in{norm_number}_1", channels)
    conv("deconv03_1", 64, 3, 7)
    return shapes


def read_weights(layers: Layers) -> dict[str, Weights]:
    """Read and check all layers; the first and last convolution turned from BGR to RGB."""
    weights = layers.take(NAME, expected_layers())
    weights["conv01_1.weight"] = weights["conv01_1.weight"][:, ::-1]
    for name in ("deconv03_1.weight", "deconv03_1.bias"):
        weights[name] = weights[name][::-1]
    return weights


def build(layers: Layers) -> Network:
    """Write the generator as a graph; it must see the whole picture, because of its norms.

    The ends and the residual blocks are padded by reflection, the stages by zeros, as the authors'
    network does.

    Raises:
        StyleError: a layer is missing, unknown or of a wrong shape.
    """
    weights = read_weights(layers)
    graph = Graph()

    def conv(x: str, name: str, *, stride: int = 1, side: int = 1, reflect: bool = False) -> str:
        return graph.conv(
            x,
            name,
            weights[f"{name}.weight"],
            weights[f"{name}.bias"],
            stride=stride,
            sides=(side, side, side, side),
            padding="reflect" if reflect else "constant",
        )

    def norm(x: str, name: str) -> str:
        scale = graph.constant(weights[f"{name}.scale"], f"{name}.scale")
        shift = graph.constant(weights[f"{name}.shift"], f"{name}.shift")
        return graph.add("InstanceNormalization", [x, scale, shift], epsilon=EPSILON)

    def relu(x: str) -> str:
        return graph.add("Relu", [x])

    def double(x: str, name: str) -> str:
        weight = graph.constant(weights[f"{name}.weight"], f"{name}.weight")
        bias = graph.constant(weights[f"{name}.bias"], f"{name}.bias")
        return graph.add(
            "ConvTranspose",
            [x, weight, bias],
            strides=[2, 2],
            pads=[1, 1, 1, 1],
            output_padding=[1, 1],
        )

    x = relu(norm(conv(graph.photo, "conv01_1", side=3, reflect=True), "in01_1"))
    for stage in _STAGES:
        x = conv(conv(x, f"conv{stage:02}_1", stride=2), f"conv{stage:02}_2")
        x = relu(norm(x, f"in{stage:02}_1"))
    for block in BLOCKS:
        y = relu(norm(conv(x, f"conv{block:02}_1", reflect=True), f"in{block:02}_1"))
        y = norm(conv(y, f"conv{block:02}_2", reflect=True), f"in{block:02}_2")
        x = graph.add("Add", [y, x])
    for rise, _, norm_number in _RISES:
        x = conv(double(x, f"deconv{rise:02}_1"), f"deconv{rise:02}_2")
        x = relu(norm(x, f"in{norm_number}_1"))
    x = graph.add("Tanh", [conv(x, "deconv03_1", side=3, reflect=True)])
    return Network(
        name=NAME,
        model=graph.finish(x, "cartoongan", clip=False),
        size_multiple=4,
        minimum_side=16,
        receptive_radius=None,
        attribution=("CartoonGAN, Chen, Lai and Liu, CVPR 2018",),
    )
