"""A style's graph in onnxruntime, on the device that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import onnxruntime as ort

from sakuga.errors import DeviceError, StyleError, one_line
from sakuga.styles.spec import GRAPH_INPUT, GRAPH_OUTPUT

Device = Literal["auto", "cpu", "cuda"]


def open_session(
    path: Path, device: Device, threads: int | None
) -> tuple[ort.InferenceSession, Literal["cpu", "cuda"]]:
    """Load a style's graph, and say where it runs.

    onnxruntime itself only warns when a provider is missing, so that is looked at here.

    Raises:
        StyleError: onnxruntime cannot load it, or it does not keep the contract of a style.
        DeviceError: CUDA was asked for and cannot be used.
    """
    available = ort.get_available_providers()
    has_cuda = "CUDAExecutionProvider" in available
    if device == "cuda" and not has_cuda:
        raise DeviceError(
            f"device cuda was asked for, but this onnxruntime offers only {', '.join(available)}; "
            "replace it (pip uninstall onnxruntime; pip install onnxruntime-gpu) or use the cpu"
        )
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised; nothing else belongs on a terminal
    options.enable_mem_pattern = False  # planning for each size of window costs gigabytes
    options.intra_op_num_threads = threads or 0
    # After a run threads would wait in a loop: a quarter of a small picture's CPU time.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    providers: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
    if device != "cpu" and has_cuda:
        # TF32 keeps 10 bits of a factor, too few for tiles to equal the whole.
        providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": "0"}))
    try:
        session = ort.InferenceSession(path, options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        raise StyleError(
            f"{path}: onnxruntime cannot load this style ({one_line(error)[:200]}); "
            "get or export it again"
        ) from error
    got_cuda = "CUDAExecutionProvider" in session.get_providers()
    if device == "cuda" and not got_cuda:
        raise DeviceError(
            "device cuda was asked for, and this onnxruntime is built for it, but CUDA does not "
            "start: look whether nvidia-smi works and cuDNN is installed, or use the cpu"
        )
    inputs = [value.name for value in session.get_inputs()]
    outputs = [value.name for value in session.get_outputs()]
    if inputs != [GRAPH_INPUT] or GRAPH_OUTPUT not in outputs:
        raise StyleError(
            f"{path}: its graph takes {', '.join(inputs)} and gives {', '.join(outputs)}; "
            f"a style takes {GRAPH_INPUT} and gives {GRAPH_OUTPUT}"
        )
    return session, "cuda" if got_cuda else "cpu"


def run_options(device: Literal["cpu", "cuda"]) -> ort.RunOptions:
    """Give memory back after each run; a run at 1024 x 1024 would keep gigabytes."""
    options = ort.RunOptions()
    arenas = "cpu:0;gpu:0" if device == "cuda" else "cpu:0"
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", arenas)
    return options
