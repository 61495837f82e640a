"""A search as one HTML page, and its best values as a TOML file to train with."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from sakuga.evaluate import plots
from sakuga.evaluate.report import embedded_image, html_page, meets_bar
from sakuga.evaluate.statistics import fit
from sakuga.tune.objective import Judge, painter_of
from sakuga.tune.settings import Choice, Dimension, TuneSettings

SHOWN_TRIALS = 3  # whose pictures are shown
SHOWN_PHOTOS = 4
RunFolder = Callable[[int], Path]


def html_report(
    study: optuna.Study, judge: Judge, run_folder: RunFolder, device: torch.device
) -> str:
    """The page: best trials with their pictures, importances, every field against the score."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ranked = sorted(complete, key=score_of)
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    settings = judge.settings
    title = f"Tuning {settings.base.name}"
    bars = ", ".join(settings.bars).replace("_", " ") or "of none"
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=lead>{len(complete)} trials of {settings.steps} steps to the end, {len(pruned)} "
        f"stopped early. Score = {settings.kid_weight:g} x KID ({escape(judge.network.name)}) over "
        f"that of the untouched photos ({judge.baseline:.4f}) + {settings.bars_weight:g} x how far "
        f"medians miss their bars ({bars}), on {len(judge.photos)} held-out photos. Lower is "
        "better.</p>",
        _trial_table(ranked, pruned),
        "<h2>What matters</h2><div class=plots>",
        _importances(study, ranked),
        *(_slice(key, one, ranked) for key, one in settings.space.items()),
        "</div>",
        *(_pictures(trial, judge, run_folder, device) for trial in ranked[:SHOWN_TRIALS]),
    ]
    return html_page(title, body)


def best_toml(source: Path, settings: TuneSettings, trial: FrozenTrial) -> str:
    """The training's own file with the best values in place, to be given to `sakuga train`.

    Comments and tables of the original are left out.
    """
    values = tomllib.loads(source.read_text(encoding="utf-8"))
    fields = {key: value for key, value in values.items() if not isinstance(value, dict)}
    best = settings.full_config(values_of(trial, settings))
    for key in settings.space:
        name = key.partition(".")[0]
        fields[name] = getattr(best, name)
    lines = [
        f"# {source.name} with the values of trial {trial.number} of a search: score "
        f"{score_of(trial):.4f} after {settings.steps} steps.",
        *(f"{key} = {json.dumps(value)}" for key, value in fields.items()),
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


def _trial_table(ranked: list[FrozenTrial], pruned: list[FrozenTrial]) -> str:
    names = list(ranked[0].user_attrs["numbers"])
    keys = list(ranked[0].params)
    heads = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in (*names, *keys))
    lines = []
    for trial in (*ranked, *pruned):
        numbers = trial.user_attrs.get("numbers", {})
        done = trial.state == TrialState.COMPLETE
        note = "" if done else escape(trial.user_attrs.get("stopped", "stopped early"))
        cells = [f"<td>{f'<b>{score_of(trial):.3f}</b>' if done else '&ndash;'}</td>"]
        for name in names:
            value = numbers.get(name, float("nan"))
            verdict = {True: " class=good", False: " class=bad", None: ""}[meets_bar(name, value)]
            cells.append(f"<td{verdict}>{'&ndash;' if value != value else f'{value:.3f}'}</td>")
        for key in keys:
            value = trial.params.get(key)
            told = f"{value:.4g}" if isinstance(value, float) else str(value)
            cells.append(f"<td>{escape(told)}</td>")
        lines.append(
            f"<tr{'' if done else ' class=floor'}><th>{trial.number}<small>{note}</small></th>"
            + "".join(cells)
            + "</tr>"
        )
    return (
        f"<div class=wide><table><thead><tr><th>trial</th><th>score</th>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _importances(study: optuna.Study, complete: list[FrozenTrial]) -> str:
    if len({score_of(trial) for trial in complete}) < 4:
        return "<p>Importances need at least 4 trials that came to different ends.</p>"
    importances = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    return (
        "<figure><figcaption>Share of a field in telling the better trials from the others "
        "(PED-ANOVA); with few trials a rough hint</figcaption>"
        f"{plots.bar_plot(list(importances.items()), 'importances')}</figure>"
    )


def _slice(key: str, one: Dimension, trials: list[FrozenTrial]) -> str:
    """Score against one field; a field of choices is shown by choice."""
    if isinstance(one, Choice):
        choices = sorted({trial.params[key] for trial in trials})
        groups = [
            (choice, [score_of(t) for t in trials if t.params[key] == choice], plots.colour_of(n))
            for n, choice in enumerate(choices)
        ]
        plot = plots.strip_plot(groups, key)
        told = f"{escape(key)}: score of each trial, by choice"
    else:
        seen = math.log10 if one.log else float
        points = [(seen(t.params[key]), score_of(t), f"trial {t.number}") for t in trials]
        plot = plots.scatter_plot(points, key)
        told = f"score against {'log10 of ' if one.log else ''}{escape(key)}"
    return f"<figure><figcaption>{told}</figcaption>{plot}</figure>"


def _pictures(trial: FrozenTrial, judge: Judge, run_folder: RunFolder, device: torch.device) -> str:
    paint = painter_of(run_folder(trial.number), device)
    figures = []
    for item in judge.photos[:SHOWN_PHOTOS]:
        photo = fit(item.read())
        figures.append(
            f"<figure>{embedded_image(photo)}{embedded_image(paint(photo))}"
            f"<figcaption><small>{escape(item.name)}</small></figcaption></figure>"
        )
    return (
        f"<h2>Trial {trial.number}: score {score_of(trial):.3f}</h2>"
        f"<div class=pairs>{''.join(figures)}</div>"
    )
