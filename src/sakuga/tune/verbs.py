"""`sakuga tune`: it imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.extras import need

Words = Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)]


def tune(
    config: Path,
    *,
    out: Path = Path("runs/tune"),
    trials: int | None = None,
    set: Words = (),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    quiet: bool = False,
) -> int:
    """Search for good settings by many short trainings.

    The same command goes on later.

    Example: sakuga tune mine.toml --trials 40 --out runs/tune-mine

    Parameters
    ----------
    config
        TOML file of a training, whose [tune] table says what to search.
    out
        Folder of the search: its database, its runs, report.html and best.toml.
    trials
        In all, over all processes that share the folder; by default as the table says.
    set
        KEY=VALUE: fields of the training to change.
    device
        Where trials are trained.
    quiet
        No progress bars.
    """
    modules = ("optuna", "filelock", "torch", "lightning_fabric", "safetensors", "cv2", "jinja2")
    need("sakuga tune", "tune", *modules)
    from sakuga.tune.settings import check_files, load_settings

    check_files(load_settings(config, set))  # before torch is loaded, which takes seconds
    from sakuga.tune import study

    found = study.tune(config, out, trials=trials, overrides=set, device=device, quiet=quiet)
    print(f"best: trial {found.best_trial.number}, score {found.best_value:.4f}")
    print(f"report: {out / 'report.html'}")
    print(f"to train with it: sakuga train {out / 'best.toml'}")
    return 0
