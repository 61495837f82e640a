"""A search with seconds-long trainings of tiny networks, from the TOML file to the report."""

import dataclasses
import multiprocessing
import re
import tomllib
from pathlib import Path

import numpy as np
import psutil
import pytest
from networks import save_grid_network
from PIL import Image

pytest.importorskip("optuna")
pytest.importorskip("lightning_fabric")

import optuna
from optuna.trial import TrialState

from sakuga import cli
from sakuga.data.split import split_of
from sakuga.errors import DataError, OptionError, TrainingError
from sakuga.evaluate.features import load_feature_network
from sakuga.evaluate.systems import System
from sakuga.train.config import load_config
from sakuga.tune import objective
from sakuga.tune import study as search
from sakuga.tune.objective import score_terms, shortfall
from sakuga.tune.report import best_toml
from sakuga.tune.settings import Choice, Range, check_files, load_settings

CONFIG = """
photos = ["{folder}/photos"]
anime = ["{folder}/drawings"]
crop = 32
photo_sides = [32, 48]
anime_sides = [32, 48]
batch = 2
width = 8
blocks = 1
discriminator_width = 8
feature_layers = []
structure_weights = []
gram_weights = []
texture_weight = 1.0
flat_weight = 4.0
colour_weight = 0.5
noise_weight = 3.0
precision = "32-true"
steps = 500
init_steps = 100
guard_every = 1000
sheet_every = 1000
log_every = 1

[tune]
network = "{folder}/grid.onnx"
trials = 3
report_every = 2
photos = 3

[tune.short]
steps = 4
init_steps = 2

[tune.space]
generator_lr = {{ low = 1e-5, high = 1e-3, log = true }}
blocks = {{ low = 1, high = 2 }}
adversarial = ["lsgan", "bce"]
anime_sides = [[32, 48], [40, 48]]
"photo_sides.1" = {{ low = 40, high = 60 }}
"""


def blobs(seed, *, drawn=False):
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (12, 15, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(small).resize((60, 48), Image.Resampling.BICUBIC))
    return np.asarray(155 + pixels * 0.39, np.uint8) if drawn else pixels


def save_pictures(folder, count, held_out, *, drawn=False):
    """Pictures of which exactly so many are held out."""
    import hashlib

    folder.mkdir()
    wanted = {"held-out": held_out, "train": count - held_out}
    seed = 0
    while any(wanted.values()):
        path = folder / f"{seed}.png"
        Image.fromarray(blobs(seed, drawn=drawn)).save(path)
        side = split_of(hashlib.sha256(path.read_bytes()).hexdigest())
        if wanted[side]:
            wanted[side] -= 1
        else:
            path.unlink()
        seed += 1


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Photos, drawings and a feature network that averages over a 4 x 4 grid."""
    folder = tmp_path_factory.mktemp("data")
    save_pictures(folder / "photos", 6, 3)
    save_pictures(folder / "drawings", 6, 0, drawn=True)
    save_grid_network(folder / "grid.onnx")
    return folder


@pytest.fixture
def config(data, tmp_path, monkeypatch):
    monkeypatch.setenv("SAKUGA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sakuga.train.batches.TRIAL_CROPS", 2)  # or comparing takes longest
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG.format(folder=data.as_posix()))
    return path


def changed(config, old, new):
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    return config


def test_the_table_is_read_and_trials_are_made_of_it(config):
    settings = load_settings(config)
    assert settings.space["generator_lr"] == Range(1e-5, 1e-3, log=True, whole=False)
    assert settings.space["blocks"] == Range(1, 2, log=False, whole=True)
    assert settings.space["adversarial"] == Choice(("lsgan", "bce"))
    trial = settings.trial_config({"photo_sides.1": 57, "blocks": 2, "anime_sides": [40, 48]})
    assert (trial.steps, trial.init_steps, trial.save_every) == (4, 2, 2)
    assert (trial.photo_sides, trial.anime_sides, trial.blocks) == ((32, 57), (40, 48), 2)
    full = settings.full_config({"blocks": 2})
    assert (full.steps, full.init_steps, full.blocks) == (500, 100, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[tune]", "[cel]\n[tune.x]", "unknown key 'x'"),
        ("trials = 3", "trails = 3", "did you mean trials"),
        ("blocks = {", "bloks = {", "did you mean blocks"),
        ("trials = 3", "trials = 0", "at least 1"),
        ("report_every = 2", "report_every = 3", "does not divide"),
        ("low = 1, high = 2", "low = 2, high = 2", "smaller one first"),
        ("low = 1, high = 2", "low = 1, high = 2.5", "whole numbers"),
        ("low = 1e-5", "low = 0", "above 0"),
        ("low = 1, high = 2", "low = 1, hihg = 2", "did you mean high"),
        ('["lsgan", "bce"]', '["lsgan", "wgan", "bce"]', "wgan"),
        ('["lsgan", "bce"]', "[]", "empty"),
        ('["lsgan", "bce"]', "{ low = 1, high = 2 }", "is not a number"),
        ('["lsgan", "bce"]', '"bce"', "a list of choices"),
        ('"photo_sides.1"', '"photo_sides.2"', "no element '2'"),
        ("init_steps = 2", "init_steps = 2\nblocks = 1", "both in"),
        ("init_steps = 2", "init_steps = 9", "init_steps 9"),
        ("photos = 3", 'photos = 3\nbars = ["inc"]', "unknown key 'inc'; did you mean ink"),
        ("photos = 3", 'photos = 3\nbars = ["flicker"]', "unknown key 'flicker'"),
        ("photos = 3", 'photos = 3\nbars = "ink"', "a list of statistics"),
    ],
)
def test_tables_that_make_no_sense_are_refused_before_anything_is_trained(
    config, old, new, message
):
    with pytest.raises(OptionError, match=message):
        load_settings(changed(config, old, new))


def test_a_file_without_the_table_is_refused(config):
    config.write_text(config.read_text().split("[tune]")[0])
    with pytest.raises(OptionError, match=r"no \[tune\] table"):
        load_settings(config)


def test_the_score_is_the_documented_sum():
    numbers = {"texture": 0.75, "edges": 0.76, "saturation": 1.1, "noise_gain": float("nan")}
    terms = score_terms(0.2, 0.4, {**numbers, "content": 0.1}, kid_weight=3, bars_weight=2)
    assert terms == pytest.approx(
        {"kid": 1.5, "texture": 2 * 0.25, "edges": 2 * 0.2, "saturation": 0}
    )
    drawn = {"soft_shading": 0.27, "concentration": 0.45, "ink": 0.14, "flat": 0.1}
    assert score_terms(0, 1, drawn) == pytest.approx(
        {"kid": 0, "soft_shading": 0.5, "concentration": 0.25, "ink": 1}
    )
    assert set(score_terms(0, 1, {**numbers, **drawn}, bars=["ink", "edges"])) == {
        "kid",
        "ink",
        "edges",
    }
    assert shortfall(5.0, 0.0, 5.0) == 0 and shortfall(6.0, 0.0, 5.0) == pytest.approx(0.2)


def test_the_bars_of_the_table_are_those_of_the_score(config):
    changed(config, "photos = 3", 'photos = 3\nbars = ["ink"]')
    settings = load_settings(config)
    scorer = objective.Scorer.prepare(settings, load_feature_network(settings.network))
    copy = System("copy", "", lambda item, photo: photo, lambda photo: photo)
    terms, numbers = scorer.score(copy)
    assert set(terms) == {"kid", "ink"}
    assert {"soft_shading", "ink", "noise_gain"} <= set(numbers)


def test_a_search_is_made_goes_on_and_reports(config, tmp_path, capsys):
    out = tmp_path / "search"
    arguments = ["tune", str(config), "--out", str(out), "--device", "cpu"]
    assert cli.run([*arguments, "--trials", "2"]) == 0
    capsys.readouterr()
    assert cli.run([*arguments, "--trials", "5"]) == 0
    assert f"sakuga train {out / 'best.toml'}" in capsys.readouterr().out
    study = optuna.load_study(study_name="sakuga", storage=search.database(out))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 5
    for trial in study.trials:
        assert set(trial.intermediate_values) == {2, 4}
        assert trial.value == trial.intermediate_values[4]
        assert trial.value == pytest.approx(sum(trial.user_attrs["terms"].values()))
        assert (out / "trials" / f"{trial.number:04d}" / "checkpoint.pt").is_file()

    page = (out / "report.html").read_text()
    assert not re.search(r"https?://|<script|<link", page)
    assert page.count("data:image/webp;base64,") == 3 * 3 * 2  # trials, photos, before and after
    assert "PED-ANOVA" in page
    assert page.count("<svg") == 1 + 5

    best = load_config(out / "best.toml")
    params = study.best_trial.params
    assert best.generator_lr == params["generator_lr"] and best.blocks == params["blocks"]
    assert f'"{best.adversarial}"' == params["adversarial"]
    assert best.photo_sides == (32, params["photo_sides.1"])
    assert best.steps == 500
    assert "tune" not in tomllib.loads((out / "best.toml").read_text())


def test_the_best_training_is_that_of_the_search(config):
    from optuna.trial import create_trial

    changed(config, "batch = 2", 'batch = 2\ndescription = "Ink \U0001f58b."')
    with config.open("a") as file:
        file.write("[cel]\nline_colour = [0.5, 0.25, 0.0]\n")
    settings = load_settings(config, ["batch=6", "licence=CC0-1.0"])
    params = {"blocks": 2}
    spaces = {"blocks": optuna.distributions.IntDistribution(1, 2)}
    best = best_toml(config, settings, create_trial(params=params, distributions=spaces, value=1))
    (config.parent / "best.toml").write_text(best)
    assert load_config(config.parent / "best.toml") == dataclasses.replace(settings.base, blocks=2)


def test_pairs_are_refused_since_nothing_scores_them(config):
    with pytest.raises(DataError, match="without pairs"):
        check_files(
            load_settings(config, ["pairs=a", "photos=", "flat_weight=0", "colour_weight=0"])
        )


def test_another_search_in_the_same_folder_is_refused(config, tmp_path):
    out = tmp_path / "search"
    search.tune(config, out, trials=1, device="cpu", quiet=True)
    study = search.tune(config, out, trials=1, device="cpu", quiet=True)  # reports again
    assert len(study.trials) == 1
    # Python 3.13 and later warn of databases that nobody closed.
    assert not [file.path for file in psutil.Process().open_files() if "study.db" in file.path]
    with pytest.raises(OptionError, match="other settings"):
        search.tune(config, out, trials=1, overrides=["batch=3"], device="cpu", quiet=True)


def test_trials_that_lag_are_stopped_early(config, tmp_path, monkeypatch):
    scores = iter([*[0.1] * 2 * search.STARTUP_TRIALS, 9.0])
    monkeypatch.setattr(
        search.Scorer, "score", lambda self, system: ({"kid": next(scores)}, {"kid": 0.5})
    )
    study = search.tune(
        config, tmp_path / "s", trials=search.STARTUP_TRIALS + 1, device="cpu", quiet=True
    )
    last = study.trials[-1]
    assert last.state == TrialState.PRUNED
    assert last.intermediate_values == {2: 9.0}
    assert "stopped early" in (tmp_path / "s" / "report.html").read_text()


def test_a_trial_that_collapses_is_an_answer_and_all_of_them_are_an_error(
    config, tmp_path, monkeypatch
):
    real = search.train
    broken = {0}

    def train(trial_config, run, **options):
        if int(run.name) in broken:
            raise TrainingError("step 3: colours drift")
        return real(trial_config, run, **options)

    monkeypatch.setattr(search, "train", train)
    study = search.tune(config, tmp_path / "s", trials=2, device="cpu", quiet=True)
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED, TrialState.COMPLETE]
    assert "colours drift" in (tmp_path / "s" / "report.html").read_text()
    broken.add(1)
    with pytest.raises(TrainingError, match=r"None of the 2 trials.*colours drift"):
        search.tune(config, tmp_path / "t", trials=2, device="cpu", quiet=True)


def _search(config, out):
    search.tune(config, out, trials=2, device="cpu", quiet=True)


def test_processes_share_a_search(config, tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_search, args=(config, tmp_path / "s")) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(400)
    assert [worker.exitcode for worker in workers] == [0, 0]
    study = optuna.load_study(study_name="sakuga", storage=search.database(tmp_path / "s"))
    # One may have begun a third when the other had not yet finished the second.
    assert 2 <= len(study.trials) <= 3
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)
    folders = sorted(path.name for path in (tmp_path / "s" / "trials").iterdir())
    assert folders == [f"{trial.number:04d}" for trial in study.trials]


def test_without_optuna_the_command_says_what_to_install(config, monkeypatch, capsys):
    from sakuga import extras

    real = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "optuna" else real(name))
    assert cli.run(["tune", str(config)]) == 2
    assert "pip install 'sakuga[tune]'" in capsys.readouterr().err
    assert not Path("runs/tune").exists()
