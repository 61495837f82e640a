"""A search as one HTML page, and its best values as a TOML file to train with."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from sakuga.evaluate import plots
from sakuga.evaluate.report import embedded_image, meets_bar, render
from sakuga.evaluate.statistics import fit
from sakuga.train.config import TrainConfig
from sakuga.tune.objective import Scorer, painter_of, run_folder
from sakuga.tune.settings import Choice, Dimension, TuneSettings

SHOWN_TRIALS = 3  # whose pictures are shown
SHOWN_PHOTOS = 4


def html_report(study: optuna.Study, scorer: Scorer, out: Path, device: torch.device) -> str:
    """The page: best trials with their pictures, importances, every field against the score."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ranked = sorted(complete, key=score_of)
    importances = _importances(study, ranked)
    return render(
        Path(__file__).with_name("tuning.html"),
        title=f"Tuning {scorer.settings.base.name}",
        settings=scorer.settings,
        scorer=scorer,
        ranked=ranked,
        pruned=study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)),
        names=list(ranked[0].user_attrs["numbers"]),
        keys=list(ranked[0].params),
        meets_bar=meets_bar,
        nan=math.nan,
        importances=importances,
        figures=[
            *importances,
            *(_slice(key, one, ranked) for key, one in scorer.settings.space.items()),
        ],
        galleries=[
            (trial, _pictures(trial, scorer, out, device)) for trial in ranked[:SHOWN_TRIALS]
        ],
    )


def best_toml(source: Path, settings: TuneSettings, trial: FrozenTrial) -> str:
    """The training that was tuned, with the best values in place, to be given to `sakuga train`.

    All that differs from the defaults, whether the file, its recipe or the search's --set said so.
    """
    best = dataclasses.asdict(settings.full_config(values_of(trial, settings)))
    usual = dataclasses.asdict(TrainConfig())
    lines = [
        f"# {source.name} with the values of trial {trial.number} of a search: score "
        f"{score_of(trial):.4f} after {settings.steps} steps.",
        *(
            f"{key} = {json.dumps(value, ensure_ascii=False)}"  # as JSON, so TOML
            for key, value in best.items()
            if value != usual[key]
        ),
    ]
    return "\n".join(lines) + "\n"


def values_of(trial: FrozenTrial, settings: TuneSettings) -> dict[str, Any]:
    """A trial's values as the config takes them: choices travel as JSON."""
    return {
        key: json.loads(value) if isinstance(value, str) else value
        for key, value in trial.params.items()
        if key in settings.space
    }


def score_of(trial: FrozenTrial) -> float:
    """The score of a trial that came to its end."""
    assert trial.value is not None
    return trial.value


def _importances(study: optuna.Study, complete: list[FrozenTrial]) -> list[tuple[str, str]]:
    """A plot of them and what it shows; none after too few trials."""
    if len({score_of(trial) for trial in complete}) < 4:
        return []
    importances = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    told = (
        "Share of a field in telling the better trials from the others (PED-ANOVA); with few "
        "trials a rough hint"
    )
    return [(told, plots.bar_plot(list(importances.items()), "importances"))]


def _slice(key: str, one: Dimension, trials: list[FrozenTrial]) -> tuple[str, str]:
    """Score against one field; a field of choices is shown by choice."""
    if isinstance(one, Choice):
        choices = sorted({trial.params[key] for trial in trials})
        groups = [
            (choice, [score_of(t) for t in trials if t.params[key] == choice], plots.colour_of(n))
            for n, choice in enumerate(choices)
        ]
        plot = plots.strip_plot(groups, key)
        told = f"{key}: score of each trial, by choice"
    else:
        seen = math.log10 if one.log else float
        points = [(seen(t.params[key]), score_of(t), f"trial {t.number}") for t in trials]
        plot = plots.scatter_plot(points, key)
        told = f"score against {'log10 of ' if one.log else ''}{key}"
    return told, plot


def _pictures(
    trial: FrozenTrial, scorer: Scorer, out: Path, device: torch.device
) -> list[tuple[str, str]]:
    """Names of photos, and the <img> of each beside its result."""
    paint = painter_of(run_folder(out, trial.number), device)
    photos = [(item.name, fit(item.read())) for item in scorer.photos[:SHOWN_PHOTOS]]
    return [(name, embedded_image(photo) + embedded_image(paint(photo))) for name, photo in photos]
