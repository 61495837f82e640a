"""Files laid out like published weights, with random values, and what their networks compute.

Written from the papers and the formats' descriptions, apart from `sakuga.convert`: forward passes
in torch, TensorFlow checkpoints byte by byte. Forward passes take and give RGB (B, 3, H, W).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

State = dict[str, Tensor]


class _Dice:
    """Random weights of such a size that a deep network neither fades nor saturates."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def kernel(self, *shape: int, fan_in: int) -> Tensor:
        return torch.randn(shape, generator=self._generator) * (1.5 / fan_in) ** 0.5

    def vector(self, count: int, mean: float, spread: float) -> Tensor:
        return mean + spread * torch.randn(count, generator=self._generator)


# --- CartoonGAN ----------------------------------------------------------------------------------


def cartoongan_state(seed: int = 0) -> State:
    """The authors' names and shapes, 11,129,667 values."""
    dice, state = _Dice(seed), {}

    def conv(name: str, inputs: int, outputs: int, side: int = 3) -> None:
        shape = (outputs, inputs, side, side)
        state[f"{name}.weight"] = dice.kernel(*shape, fan_in=inputs * side * side)
        state[f"{name}.bias"] = dice.vector(outputs, 0, 0.1)

    def norm(name: str, channels: int) -> None:
        state[f"{name}.scale"] = dice.vector(channels, 0.5, 0.1)
        state[f"{name}.shift"] = dice.vector(channels, 0, 0.1)

    conv("conv01_1", 3, 64, 7)
    norm("in01_1", 64)
    conv("conv02_1", 64, 128)
    conv("conv02_2", 128, 128)
    norm("in02_1", 128)
    conv("conv03_1", 128, 256)
    conv("conv03_2", 256, 256)
    norm("in03_1", 256)
    for block in ("04", "05", "06", "07", "08", "09", "10", "11"):
        for half in ("1", "2"):
            conv(f"conv{block}_{half}", 256, 256)
            norm(f"in{block}_{half}", 256)
    for up, inputs, outputs, number in (("01", 256, 128, "12"), ("02", 128, 64, "13")):
        shape = (inputs, outputs, 3, 3)
        state[f"deconv{up}_1.weight"] = dice.kernel(*shape, fan_in=inputs * 9 // 4)
        state[f"deconv{up}_1.bias"] = dice.vector(outputs, 0, 0.1)
        conv(f"deconv{up}_2", outputs, outputs)
        norm(f"in{number}_1", outputs)
    conv("deconv03_1", 64, 3, 7)
    return state


def cartoongan(state: State, photo: Tensor) -> Tensor:
    """Figure 2 of the paper on BGR; instance norm by its definition."""

    def conv(x: Tensor, name: str, stride: int = 1, reflect: int = 0) -> Tensor:
        if reflect:
            x = F.pad(x, (reflect,) * 4, mode="reflect")
        padding = 0 if reflect else 1
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride, padding)

    def norm(x: Tensor, name: str) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
        scale, shift = state[f"{name}.scale"], state[f"{name}.shift"]
        normal = (x - mean) / (variance + 1e-9).sqrt()
        return normal * scale[:, None, None] + shift[:, None, None]

    def up(x: Tensor, name: str) -> Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.conv_transpose2d(x, weight, bias, 2, 1, 1)

    x = photo.flip(1)  # to BGR
    x = norm(conv(x, "conv01_1", reflect=3), "in01_1").relu()
    x = norm(conv(conv(x, "conv02_1", 2), "conv02_2"), "in02_1").relu()
    x = norm(conv(conv(x, "conv03_1", 2), "conv03_2"), "in03_1").relu()
    for block in range(4, 12):
        y = norm(conv(x, f"conv{block:02}_1", reflect=1), f"in{block:02}_1").relu()
        x = x + norm(conv(y, f"conv{block:02}_2", reflect=1), f"in{block:02}_2")
    x = norm(conv(up(x, "deconv01_1"), "deconv01_2"), "in12_1").relu()
    x = norm(conv(up(x, "deconv02_1"), "deconv02_2"), "in13_1").relu()
    return conv(x, "deconv03_1", reflect=3).tanh().flip(1)


def write_npy_folder(folder: Path, state: State) -> Path:
    """One .npy file a layer."""
    folder.mkdir()
    for name, value in state.items():
        np.save(folder / f"{name}.npy", value.numpy())
    return folder


# --- AnimeGANv2 ----------------------------------------------------------------------------------


class _Animegan2Writer:
    """Makes the state dict of the PyTorch module whose sequences are pad, conv, norm, LeakyReLU."""

    def __init__(self, seed: int) -> None:
        self.dice = _Dice(seed)
        self.state: State = {}

    def norm(self, name: str, channels: int) -> None:
        self.state[f"{name}.weight"] = self.dice.vector(channels, 1, 0.1)
        self.state[f"{name}.bias"] = self.dice.vector(channels, 0, 0.1)

    def unit(self, name: str, inputs: int, outputs: int, side: int = 3) -> None:
        shape = (outputs, inputs, side, side)
        self.state[f"{name}.1.weight"] = self.dice.kernel(*shape, fan_in=inputs * side**2)
        self.norm(f"{name}.2", outputs)

    def block(self, name: str, inputs: int, middle: int) -> None:
        self.unit(f"{name}.layers.0", inputs, middle, 1)
        self.unit(f"{name}.layers.1", 1, middle)
        self.state[f"{name}.layers.1.1.bias"] = self.dice.vector(middle, 0, 0.1)
        self.state[f"{name}.layers.2.weight"] = self.dice.kernel(256, middle, 1, 1, fan_in=middle)
        self.norm(f"{name}.layers.3", 256)


def animegan2_state(seed: int = 0) -> State:
    """Names and shapes of the published PyTorch files, 2,140,512 values and a few."""
    writer = _Animegan2Writer(seed)
    writer.unit("block_a.0", 3, 32, 7)
    writer.unit("block_a.1", 32, 64)
    writer.unit("block_a.2", 64, 64)
    writer.unit("block_b.0", 64, 128)
    writer.unit("block_b.1", 128, 128)
    writer.unit("block_c.0", 128, 128)
    writer.block("block_c.1", 128, 256)
    for number in (2, 3, 4):
        writer.block(f"block_c.{number}", 256, 512)
    writer.unit("block_c.5", 256, 128)
    writer.unit("block_d.0", 128, 128)
    writer.unit("block_d.1", 128, 128)
    writer.unit("block_e.0", 128, 64)
    writer.unit("block_e.1", 64, 64)
    writer.unit("block_e.2", 64, 32, 7)
    writer.state["out_layer.0.weight"] = writer.dice.kernel(3, 32, 1, 1, fan_in=32)
    return writer.state


def animegan2(state: State, photo: Tensor) -> Tensor:
    """The AnimeGAN paper's generator in its lite form; the layer norm is torch's group norm."""

    def norm(x: Tensor, name: str) -> Tensor:
        return F.group_norm(x, 1, state[f"{name}.weight"], state[f"{name}.bias"])

    def unit(x: Tensor, name: str, pads: tuple[int, ...], stride: int = 1) -> Tensor:
        weight = state[f"{name}.1.weight"]
        groups = x.shape[1] // weight.shape[1]
        x = F.pad(x, pads, mode="reflect")
        x = F.conv2d(x, weight, state.get(f"{name}.1.bias"), stride, groups=groups)
        return F.leaky_relu(norm(x, f"{name}.2"), 0.2)

    def block(x: Tensor, name: str) -> Tensor:
        y = unit(unit(x, f"{name}.layers.0", (0,) * 4), f"{name}.layers.1", (1,) * 4)
        y = norm(F.conv2d(y, state[f"{name}.layers.2.weight"]), f"{name}.layers.3")
        return x + y if x.shape == y.shape else y

    x = unit(photo, "block_a.0", (3,) * 4)
    x = unit(unit(x, "block_a.1", (0, 1, 0, 1), 2), "block_a.2", (1,) * 4)
    half = x.shape[2:]
    x = unit(unit(x, "block_b.0", (0, 1, 0, 1), 2), "block_b.1", (1,) * 4)
    x = unit(x, "block_c.0", (1,) * 4)
    for number in (1, 2, 3, 4):
        x = block(x, f"block_c.{number}")
    x = F.interpolate(unit(x, "block_c.5", (1,) * 4), half, mode="bilinear", align_corners=True)
    x = unit(unit(x, "block_d.0", (1,) * 4), "block_d.1", (1,) * 4)
    x = F.interpolate(x, photo.shape[2:], mode="bilinear", align_corners=True)
    x = unit(unit(x, "block_e.0", (1,) * 4), "block_e.1", (1,) * 4)
    return F.conv2d(unit(x, "block_e.2", (3,) * 4), state["out_layer.0.weight"]).tanh()


# --- Andersson and Arvidsson ---------------------------------------------------------------------


def andersson_state(seed: int = 0) -> State:
    """Names and shapes of the published PyTorch file, 11,124,547 learned values."""
    dice, state = _Dice(seed), {}

    def conv(name: str, inputs: int, outputs: int, side: int = 3) -> None:
        shape = (outputs, inputs, side, side)
        state[f"{name}.weight"] = dice.kernel(*shape, fan_in=inputs * side * side)

    def norm(name: str, channels: int) -> None:
        state[f"{name}.weight"] = dice.vector(channels, 0.9, 0.1)
        state[f"{name}.bias"] = dice.vector(channels, 0, 0.1)
        state[f"{name}.running_mean"] = dice.vector(channels, 0.1, 0.1)
        state[f"{name}.running_var"] = dice.vector(channels, 1, 0.1)
        state[f"{name}.num_batches_tracked"] = torch.tensor(4000)

    conv("down.0", 3, 64, 7)
    norm("down.1", 64)
    for first, channels in ((3, 128), (7, 256)):
        conv(f"down.{first}.1", channels // 2, channels)
        conv(f"down.{first + 1}.1", channels, channels)
        norm(f"down.{first + 2}", channels)
    for block in range(8):
        for place in (0, 3):
            conv(f"res.0.{block}.block.{place}.1", 256, 256)
            norm(f"res.0.{block}.block.{place + 1}", 256)
    for first, channels in ((0, 128), (4, 64)):
        shape = (2 * channels, channels, 3, 3)
        state[f"up.{first}.shuffle.weight"] = dice.kernel(*shape, fan_in=channels * 9 // 2)
        state[f"up.{first}.shuffle.bias"] = dice.vector(channels, 0, 0.1)
        conv(f"up.{first + 1}.1", channels, channels)
        norm(f"up.{first + 2}", channels)
    conv("up.8", 64, 3, 7)
    state["up.8.weight"] *= 2  # the result then spreads over [-1, 1]
    state["up.8.bias"] = dice.vector(3, 0, 0.1)
    return state


def andersson(state: State, photo: Tensor) -> Tensor:
    """The layers by their definitions; colours as the authors' program takes and gives them."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        padded = F.pad(x, (1,) * 4, mode="reflect")
        return F.conv2d(padded, state[f"{name}.1.weight"], None, stride)

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias, mean, variance = (
            state[f"{name}.{kind}"][:, None, None]
            for kind in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def up(x: Tensor, name: str) -> Tensor:
        y = F.conv_transpose2d(x, state[f"{name}.weight"], state[f"{name}.bias"], 2)
        parts = (y[..., :-1, :-1], y[..., 1:, :-1], y[..., :-1, 1:], y[..., 1:, 1:])
        return torch.stack(parts).mean(0)

    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    x = ((photo + 1) / 2 - mean) / std
    x = norm(F.conv2d(x, state["down.0.weight"], padding=3), "down.1").relu()
    for first in (3, 7):
        x = conv(conv(x, f"down.{first}", 2), f"down.{first + 1}")
        x = norm(x, f"down.{first + 2}").relu()
    for block in range(8):
        name = f"res.0.{block}.block"
        y = norm(conv(x, f"{name}.0"), f"{name}.1").relu()
        x = (x + norm(conv(y, f"{name}.3"), f"{name}.4")).relu()
    for first in (0, 4):
        x = conv(up(x, f"up.{first}.shuffle"), f"up.{first + 1}")
        x = norm(x, f"up.{first + 2}").relu()
    x = F.conv2d(x, state["up.8.weight"], state["up.8.bias"], padding=3)
    return (x * std + (mean + 0.1)).clamp(0, 1) * 2 - 1


# --- White-box Cartoonization --------------------------------------------------------------------


def whitebox_state(seed: int = 0) -> State:
    """TF-slim's names; weights are (K, K, in, out)."""
    dice, state = _Dice(seed), {}

    def conv(name: str, inputs: int, outputs: int, side: int = 3) -> None:
        shape = (side, side, inputs, outputs)
        state[f"generator/{name}/weights"] = dice.kernel(*shape, fan_in=inputs * side**2)
        state[f"generator/{name}/biases"] = dice.vector(outputs, 0, 0.1)

    conv("Conv", 3, 32, 7)
    conv("Conv_1", 32, 32)
    conv("Conv_2", 32, 64)
    conv("Conv_3", 64, 64)
    conv("Conv_4", 64, 128)
    for block in range(4):
        conv(f"block_{block}/conv1", 128, 128)
        conv(f"block_{block}/conv2", 128, 128)
    conv("Conv_5", 128, 64)
    conv("Conv_6", 64, 64)
    conv("Conv_7", 64, 32)
    conv("Conv_8", 32, 32)
    conv("Conv_9", 32, 3, 7)
    state["generator/Conv_9/weights"] *= 0.1  # the result then keeps within [-1, 1], mostly
    return state


def whitebox(state: State, photo: Tensor) -> Tensor:
    """The U-Net of the paper's figure 6 and the guided filter of He et al., on BGR."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"generator/{name}/weights"].permute(3, 2, 0, 1)
        # TensorFlow's rule for "SAME": as much as is needed, the odd pixel at the end.
        pads = []
        for extent in (x.shape[3], x.shape[2]):
            total = max((-(-extent // stride) - 1) * stride + weight.shape[2] - extent, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), weight, state[f"generator/{name}/biases"], stride)

    def double(x: Tensor) -> Tensor:
        """Bilinear at i / 2: even pixels are copies, odd ones the mean of two neighbours."""
        for axis in (2, 3):
            after = torch.cat([x, x.narrow(axis, x.shape[axis] - 1, 1)], axis)
            after = after.narrow(axis, 1, x.shape[axis])
            x = torch.stack([x, (x + after) / 2], axis + 1).flatten(axis, axis + 1)
        return x

    def leaky(x: Tensor) -> Tensor:
        return F.leaky_relu(x, 0.2)

    def box(x: Tensor) -> Tensor:
        kernel = torch.full((x.shape[1], 1, 3, 3), 1 / 9)
        count = F.conv2d(torch.ones_like(x), kernel, padding=1, groups=x.shape[1])
        return F.conv2d(x, kernel, padding=1, groups=x.shape[1]) / count

    guide = photo.flip(1)
    x0 = leaky(conv(guide, "Conv"))
    x1 = leaky(conv(leaky(conv(x0, "Conv_1", 2)), "Conv_2"))
    x2 = leaky(conv(leaky(conv(x1, "Conv_3", 2)), "Conv_4"))
    for block in range(4):
        y = conv(leaky(conv(x2, f"block_{block}/conv1")), f"block_{block}/conv2")
        x2 = x2 + y
    x2 = leaky(conv(x2, "Conv_5"))
    x3 = leaky(conv(leaky(conv(double(x2) + x1, "Conv_6")), "Conv_7"))
    x4 = conv(leaky(conv(double(x3) + x0, "Conv_8")), "Conv_9")
    covariance = box(guide * x4) - box(guide) * box(x4)
    variance = box(guide * guide) - box(guide) ** 2
    slope = covariance / (variance + 5e-3)
    offset = box(x4) - slope * box(guide)
    return (box(slope) * guide + box(offset)).clamp(-1, 1).flip(1)


# --- CartoonGAN light ----------------------------------------------------------------------------

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def light_state(seed: int = 0) -> State:
    """Keras's names of the parts with weights, 878,433 values; kernels are (K, K, in, out)."""
    dice, state = _Dice(seed), {}

    def place(prefix: str, number: int) -> str:
        return f"{prefix}/layer_with_weights-{number}"

    def kernel(name: str, side: int, inputs: int, outputs: int, bias: bool = False) -> None:
        shape = (side, side, inputs, outputs)
        state[f"{name}/kernel{_SUFFIX}"] = dice.kernel(*shape, fan_in=side**2 * inputs)
        if bias:
            state[f"{name}/bias{_SUFFIX}"] = dice.vector(outputs, 0, 0.1)

    def depth(name: str, channels: int) -> None:
        shape = (3, 3, channels, 1)
        state[f"{name}/depthwise_kernel{_SUFFIX}"] = dice.kernel(*shape, fan_in=9)

    def norm(name: str) -> None:
        state[f"{name}/gamma{_SUFFIX}"] = dice.vector(1, 1, 0.1)
        state[f"{name}/beta{_SUFFIX}"] = dice.vector(1, 0, 0.1)

    def basic(name: str, half: int) -> None:
        kernel(place(name, 0), 1, half, half)
        norm(place(name, 1))
        depth(place(name, 2), half)
        norm(place(name, 3))
        kernel(place(name, 4), 1, half, half)
        norm(place(name, 5))

    def down(name: str, inputs: int, half: int) -> None:
        kernel(place(f"{name}/r_model", 0), 1, inputs, half)
        norm(place(f"{name}/r_model", 1))
        depth(place(f"{name}/r_model", 2), half)
        norm(place(f"{name}/r_model", 3))
        kernel(place(f"{name}/r_model", 4), 1, half, half)
        depth(place(f"{name}/l_model", 0), inputs)
        norm(place(f"{name}/l_model", 1))
        kernel(place(f"{name}/l_model", 2), 1, inputs, half)
        norm(place(f"{name}/bn_act", 0))

    kernel(place("flat_conv1/model", 0), 5, 3, 96, bias=True)
    norm(place("flat_conv1/model", 1))
    down("down_conv1", 96, 96)
    down("down_conv2", 192, 192)
    for block in range(8):
        basic(f"{place('residual_blocks', block)}/model", 192)
    for name, inputs, outputs in (("up_conv1", 384, 192), ("up_conv2", 192, 96)):
        kernel(place(f"{name}/model", 0), 1, inputs, outputs, bias=True)
        basic(f"{place(f'{name}/model', 1)}/model", outputs // 2)
    kernel(place("final_conv", 0), 5, 96, 3, bias=True)
    return state


def light(state: State, photo: Tensor) -> Tensor:
    """CartoonGAN's shape in units of ShuffleNet V2 (figure 3 c and d of its paper)."""

    def get(name: str, number: int, kind: str) -> Tensor:
        return state[f"{name}/layer_with_weights-{number}/{kind}{_SUFFIX}"]

    def conv(x: Tensor, name: str, number: int, bias: bool = False) -> Tensor:
        weight = get(name, number, "kernel").permute(3, 2, 0, 1)
        shift = get(name, number, "bias") if bias else None
        return F.conv2d(x, weight, shift, padding=weight.shape[2] // 2)

    def depth(x: Tensor, name: str, number: int, stride: int = 1) -> Tensor:
        weight = get(name, number, "depthwise_kernel").permute(2, 3, 0, 1)
        x = F.pad(x, (1,) * 4 if stride == 1 else (0, 1, 0, 1))
        return F.conv2d(x, weight, None, stride, groups=x.shape[1])

    def norm(x: Tensor, name: str, number: int) -> Tensor:
        mean = x.mean((1, 2, 3), keepdim=True)
        deviation = x.std((1, 2, 3), unbiased=False, keepdim=True)
        normal = (x - mean) / (deviation + 1e-3)
        return normal * get(name, number, "gamma") + get(name, number, "beta")

    def basic(x: Tensor, name: str) -> Tensor:
        left, right = x.chunk(2, 1)
        y = norm(conv(right, name, 0), name, 1).relu()
        y = norm(depth(y, name, 2), name, 3)
        y = norm(conv(y, name, 4), name, 5).relu()
        return F.channel_shuffle(torch.cat([left, y], 1), 2)

    def down(x: Tensor, name: str) -> Tensor:
        left, right = f"{name}/l_model", f"{name}/r_model"
        a = conv(norm(depth(x, left, 0, 2), left, 1), left, 2)
        b = norm(conv(x, right, 0), right, 1).relu()
        b = conv(norm(depth(b, right, 2, 2), right, 3), right, 4)
        x = norm(torch.cat([a, b], 1), f"{name}/bn_act", 0).relu()
        return F.channel_shuffle(x, 2)

    def up(x: Tensor, name: str) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = conv(x, f"{name}/model", 0, bias=True)
        return basic(x, f"{name}/model/layer_with_weights-1/model")

    x = norm(conv(photo, "flat_conv1/model", 0, bias=True), "flat_conv1/model", 1).relu()
    x = down(down(x, "down_conv1"), "down_conv2")
    for block in range(8):
        x = basic(x, f"residual_blocks/layer_with_weights-{block}/model")
    x = up(up(x, "up_conv1"), "up_conv2")
    return conv(x, "final_conv", 0, bias=True).tanh()


# --- TensorFlow's checkpoint format --------------------------------------------------------------


def write_checkpoint(
    prefix: Path, state: State, *, others: Iterable[tuple[str, int, bytes]] = ()
) -> Path:
    """Write PREFIX.index and PREFIX.data-00000-of-00001.

    Args:
        others: name, TensorFlow type and bytes of entries that are no float tensors.

    Returns:
        The path of the index.
    """
    values: dict[str, tuple[int, tuple[int, ...], bytes]] = {
        name: (1, tuple(value.shape), value.numpy().astype("<f4").tobytes())
        for name, value in state.items()
    }
    values |= {name: (kind, (), content) for name, kind, content in others}
    data = bytearray()
    entries = [(b"", _field(1, 1) + _field(3, _field(1, 1)))]  # one shard, version 1
    for name in sorted(values):
        kind, shape, content = values[name]
        dimensions = b"".join(_field(2, _field(1, extent)) for extent in shape)
        entry = _field(1, kind) + _field(2, dimensions)
        if data:  # protobuf leaves zeros out
            entry += _field(4, len(data))
        entry += _field(5, len(content))
        entry += bytes([6 << 3 | 5]) + struct.pack("<I", _masked_crc(content))
        entries.append((name.encode(), entry))
        data += content
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    index = prefix.with_name(f"{prefix.name}.index")
    index.write_bytes(_table(entries))
    return index


def _table(entries: list[tuple[bytes, bytes]], block_entries: int = 24) -> bytes:
    """A LevelDB table: data blocks, an empty meta index, an index, a footer."""
    content = bytearray()

    def append(block: bytes) -> bytes:
        handle = _number(len(content)) + _number(len(block))
        content.extend(block + b"\0" + struct.pack("<I", _masked_crc(block + b"\0")))
        return handle

    handles = []
    for start in range(0, len(entries), block_entries):
        part = entries[start : start + block_entries]
        handles.append((part[-1][0], append(_block(part))))
    meta = append(_block([]))
    index = append(_block(handles))
    footer = (meta + index).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    return bytes(content) + footer


def _block(entries: list[tuple[bytes, bytes]], restart_every: int = 16) -> bytes:
    block, restarts, before = bytearray(), [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % restart_every == 0:
            restarts.append(len(block))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        block += _number(shared) + _number(len(key) - shared) + _number(len(value))
        block += key[shared:] + value
        before = key
    restarts = restarts or [0]
    return bytes(block) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def _number(value: int) -> bytes:
    """Base-128 varint."""
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    return _number(number << 3 | 2) + _number(len(value)) + value


def _masked_crc(content: bytes) -> int:
    """CRC-32C by polynomial division through a table; then LevelDB's mask."""
    crc = 0xFFFFFFFF
    table = _CRC_TABLE
    for byte in content:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC_TABLE = _crc_table()

Forward = Callable[[State, Tensor], Tensor]


def random_photo(height: int, width: int, seed: int = 3) -> NDArray[np.float32]:
    """float32 (1, 3, H, W) in [-1, 1], smooth enough to look a little like a picture."""
    dice = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 4, width // 4, generator=dice)
    photo = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1) * 2 - 1
    return photo.numpy()
