"""The search itself: short trainings, scored as they go, stopped early where others did better."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from filelock import FileLock
from optuna.trial import TrialState
from sqlalchemy.pool import NullPool

from sakuga.console import ProgressBar, tell
from sakuga.errors import OptionError, OutputError, TrainingError
from sakuga.evaluate.features import load_feature_network
from sakuga.files import write_bytes
from sakuga.models.devices import torch_device
from sakuga.train.loop import train
from sakuga.tune.objective import Scorer, run_folder, system_of
from sakuga.tune.report import best_toml, html_report
from sakuga.tune.settings import Choice, TuneSettings, fingerprint, load_settings

DATABASE = "study.db"
STUDY = "sakuga"
STARTUP_TRIALS = 5  # complete ones before any is stopped early
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def tune(
    config_path: Path,
    out: Path,
    *,
    trials: int | None = None,
    overrides: Sequence[str] = (),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    quiet: bool = False,
) -> optuna.Study:
    """Search the space of a config's [tune] table until it holds so many trials; write a report.

    Everything is kept in `out`: study.db (SQLite), trials/NNNN/ (a run of `sakuga train` each),
    report.html and best.toml. The same command goes on where it stopped; run it several times at
    once, and the processes share the work.

    Args:
        config_path, out, trials, device, quiet: as `sakuga tune` takes them.
        overrides: "key=value" for fields of the training.

    Raises:
        OptionError: a [tune] table that makes no sense, or another search lives in `out`.
        DataError: photos, drawings or a feature network that cannot be used.
        TrainingError: every trial broke a guard: the message of the last one is shown.
    """
    settings = load_settings(config_path, overrides)
    total = settings.trials if trials is None else trials
    if total < 1:
        raise OptionError(f"--trials {total}: at least 1.")
    network = load_feature_network(settings.network, device=device)
    scorer = Scorer.prepare(settings, network)
    study = _open_study(out, settings)

    # Counted anew before each trial: other processes add to the same study.
    while len(study.get_trials(deepcopy=False, states=DONE)) < total:
        study.optimize(lambda trial: _run_trial(trial, scorer, out, device, quiet), n_trials=1)

    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not finished:
        reason = study.get_trials(deepcopy=False)[-1].user_attrs.get("stopped", "stopped early")
        raise TrainingError(f"None of the {total} trials came to its end; the last one: {reason}")
    report = html_report(study, scorer, out, torch_device(device))
    write_bytes(out / "report.html", report.encode())
    best = best_toml(config_path, settings, study.best_trial)
    write_bytes(out / "best.toml", best.encode())
    return study


def database(out: Path) -> optuna.storages.RDBStorage:
    """The trials kept in a search's folder; the file is closed after each use."""
    url = f"sqlite:///{(out / DATABASE).resolve()}"
    return optuna.storages.RDBStorage(url, {"poolclass": NullPool})


def suggest(trial: optuna.Trial, settings: TuneSettings) -> dict[str, Any]:
    """Draw a value for each dimension of the space."""
    values: dict[str, Any] = {}
    for key, one in settings.space.items():
        if isinstance(one, Choice):
            # Optuna chooses among plain values; lists travel as JSON.
            told = trial.suggest_categorical(key, [json.dumps(value) for value in one.values])
            values[key] = json.loads(told)
        elif one.whole:
            values[key] = trial.suggest_int(key, int(one.low), int(one.high), log=one.log)
        else:
            values[key] = trial.suggest_float(key, one.low, one.high, log=one.log)
    return values


def _run_trial(trial: optuna.Trial, scorer: Scorer, out: Path, device: str, quiet: bool) -> float:
    """Train with one choice of values; score it now and then, and give its last score."""
    settings = scorer.settings
    config = settings.trial_config(suggest(trial, settings))
    run = run_folder(out, trial.number)
    score = float("nan")

    def progress(step: int, latest: Mapping[str, float]) -> None:
        nonlocal score
        if step % settings.scored_every == 0:
            # The loop has just saved this step's checkpoint.
            terms, numbers = scorer.score(system_of(run, torch_device(device)))
            score = sum(terms.values())
            trial.report(score, step)
            trial.set_user_attr("terms", terms)
            trial.set_user_attr("numbers", numbers)
            if step < config.steps and trial.should_prune():
                raise optuna.TrialPruned(f"score {score:.3f} at step {step}")
        bar.update(step, f"score {score:.3f}")

    with ProgressBar(f"Trial {trial.number}", config.steps, quiet=quiet) as bar:
        try:
            train(config, run, accelerator=device, progress=progress)
        except TrainingError as error:
            # A collapse is an answer, not a failure of the search: these values are bad.
            trial.set_user_attr("stopped", str(error))
            tell(f"trial {trial.number} stopped: {error}")
            raise optuna.TrialPruned(str(error)) from error
    return score


def _open_study(out: Path, settings: TuneSettings) -> optuna.Study:
    """Make the study, or open the one that is there if it is the same search."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be made ({error.strerror}): choose another --out."
        ) from error
    told = fingerprint(settings)
    with FileLock(out / f"{DATABASE}.lock"):  # processes that start together make it once
        study = optuna.create_study(
            study_name=STUDY,
            storage=database(out),
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
        )
        if "settings" not in study.user_attrs:
            study.set_user_attr("settings", told)
    if study.user_attrs["settings"] != told:
        raise OptionError(
            f"{out}: holds a search with other settings, and scores would not compare: choose "
            "another --out, or restore the file it began with."
        )
    return study
