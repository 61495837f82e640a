"""Where a network runs."""

from __future__ import annotations

import torch

from sakuga.errors import DeviceError


def torch_device(device: str) -> torch.device:
    """The device that "auto", "cpu" or "cuda" means here.

    Raises:
        DeviceError: "cuda", and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("This machine has no CUDA device that PyTorch can use: say --device cpu.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
