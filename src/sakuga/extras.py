"""Optional packages: looked for before a verb starts, so that it does not fail half-way."""

from __future__ import annotations

from importlib.util import find_spec

from sakuga.errors import MissingExtraError

# An extra -> the modules that it brings. What needs one of them may ask for fewer.
EXTRAS: dict[str, tuple[str, ...]] = {
    "heic": ("pi_heif",),
    "steady": ("cv2",),
    "data": ("cv2", "urllib3", "msgspec"),
    "kaggle": ("kagglehub",),
    "train": (
        "torch",
        "lightning_fabric",
        "safetensors",
        "google_crc32c",
        "pooch",
        "cv2",
        "onnx",
        "onnxscript",
        "onnxslim",
        "tensorboard",
    ),
    "eval": ("torch", "safetensors", "pooch", "cv2", "scipy", "jinja2"),
    "batch": ("ray", "pyarrow"),
    "openvino": ("openvino",),
    "litert": ("litert_torch",),
    "ncnn": ("pnnx",),
    "coreml": ("coremltools",),
}
EXTRAS["tune"] = (*EXTRAS["train"], *EXTRAS["eval"], "optuna", "filelock")


def missing(extra: str) -> list[str]:
    """The modules of an extra that are not installed."""
    return [name for name in dict.fromkeys(EXTRAS[extra]) if find_spec(name) is None]


def need(verb: str, extra: str, *modules: str) -> None:
    """Check, without importing them, that a verb's optional packages are installed.

    Args:
        verb: what was asked for, as the user wrote it ("sakuga train").
        extra: the name of the extra that brings the packages.
        modules: the names under which they are imported.

    Raises:
        MissingExtraError: naming the first that is not there.
    """
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(verb, extra, module)
