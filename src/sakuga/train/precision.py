"""In which precision a training computes: bfloat16 where the device has it, else float32."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["bf16-mixed", "32-true"]  # as Lightning Fabric names them


def choose_precision(precision: str, accelerator: str) -> tuple[Precision, str]:
    """The precision a training computes in, and why, in words.

    "auto" is bfloat16 only where the device computes it: a processor without AVX512-BF16 or AMX
    emulates it, which takes many times as long as float32.

    Args:
        precision: as a config has it.
        accelerator: "auto", "cpu" or "cuda", as `open_fabric` takes it.
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        device = torch.cuda.get_device_name()
    else:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        device = "this processor"
    why = f"{device} computes bfloat16" if fast else f"{device} only emulates bfloat16, slowly"
    if precision == "auto":
        return ("bf16-mixed" if fast else "32-true"), why
    chosen: Precision = "bf16-mixed" if precision == "bf16-mixed" else "32-true"
    return chosen, f"as the config says; {why}"
