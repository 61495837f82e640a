"""What this machine has for Sakuga, and a test that painting works."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from json import dumps
from typing import Any

from sakuga.errors import SakugaError, StyleError
from sakuga.extras import EXTRAS, missing
from sakuga.styles import survey, user_folder

_CORE = (
    "numpy",
    "pillow",
    "onnxruntime",
    "onnxruntime-gpu",
    "av",
    "cyclopts",
    "rich",
    "starlette",
    "uvicorn",
)
_TEST_SIDE = 256  # pixels


def doctor(*, json: bool = False) -> int:
    """Print versions and devices, and test that painting works.

    Parameters
    ----------
    json
        Print it as JSON.
    """
    report = examine()
    if json:
        print(dumps(report, indent=2))
    else:
        for title, facts in report.items():
            print(title)
            for key, value in facts.items():
                print(f"  {key:<18}{value}")
    return 0 if all(str(line).startswith("paints") for line in report["self-test"].values()) else 1


def examine() -> dict[str, dict[str, Any]]:
    """Gather versions, providers, extras, styles, and whether each style paints."""
    import onnxruntime as ort

    return {
        "versions": {
            "sakuga": metadata.version("sakuga"),
            "python": platform.python_version(),
            **{name: _version(name) for name in _CORE if _version(name)},
        },
        "machine": {
            "system": platform.platform(terse=True),
            "processor": processor(),
            "cores": os.cpu_count(),
            "device": ort.get_device(),
            "providers": ", ".join(ort.get_available_providers()),
            "int8": int8(processor_flags()),
            "training": _training(),
        },
        "extras": {
            name: (
                f"lacks {', '.join(missing(name))}: pip install 'sakuga[{name}]'"
                if missing(name)
                else "installed"
            )
            for name in sorted(EXTRAS)
        },
        "styles": _styles(),
        "self-test": _self_test(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpuinfo(*names: str) -> str | None:
    """What Linux's file on the processor says under one of these names; None on other systems."""
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() in names:
                    return value.strip()
    return None


def processor() -> str:
    """The processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


# What multiplies 8-bit integers faster than float32: x86 and ARM as Linux calls them.
_INT8_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp")


def processor_flags() -> frozenset[str] | None:
    """What the processor can do, by Linux's names; None on other systems, which do not tell."""
    flags = _cpuinfo("flags", "Features")
    return None if flags is None else frozenset(flags.split())


def int8(flags: frozenset[str] | None) -> str:
    """Whether styles exported with --precision int8 would be faster here."""
    if flags is None:
        return "not known on this system: try  sakuga export STYLE OUT.onnx --precision int8"
    found = [flag for flag in _INT8_FLAGS if flag in flags]
    if found:
        return f"would pay: the processor has {found[0]}"
    return "would not pay: the processor lacks VNNI"


def _training() -> str:
    """What precision = "auto" is here, and why; torch tells."""
    if find_spec("torch") is None:
        return "not known without torch"
    from sakuga.train.precision import choose_precision

    precision, why = choose_precision("auto", "auto")
    return f"{precision} ({why})"


def _styles() -> dict[str, str]:
    styles, _ = survey()
    try:
        added = str(user_folder())
    except StyleError as error:
        added = f"no folder: {error}"
    return {style.spec.name: style.spec.description for style in styles} | {
        "added ones are in": added
    }


def _self_test() -> dict[str, str]:
    """Paint a small gradient with every style."""
    import numpy as np

    from sakuga.painting.stylizer import Stylizer

    ramp = np.linspace(0, 255, _TEST_SIDE).astype(np.uint8)
    photo = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.uint8(128)), axis=-1)
    size = f"{_TEST_SIDE} x {_TEST_SIDE} pixels"
    styles, errors = survey()
    results = {f"unusable {number}": str(error) for number, error in enumerate(errors, 1)}
    for style in styles:
        try:
            stylizer = Stylizer(style)
            start_s = time.perf_counter()
            anime = stylizer(photo)
        except SakugaError as error:
            results[style.spec.name] = str(error)
            continue
        elapsed_ms = 1000 * (time.perf_counter() - start_s)
        flat = anime.std() < 1
        results[style.spec.name] = (
            "gives one flat colour, the file is damaged or not trained"
            if flat
            else f"paints {size} in {elapsed_ms:.0f} ms on {stylizer.device}"
        )
    return results or {"styles": "none is installed"}
