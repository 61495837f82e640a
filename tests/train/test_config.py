"""Settings: TOML over defaults, overrides, and errors that say what to write instead."""

import dataclasses
import json
import subprocess
import sys

import pytest

from sakuga.cel.settings import load_settings
from sakuga.errors import OptionError, OutputError
from sakuga.files import alone_in
from sakuga.options import RECIPES
from sakuga.train.command import Request, run_training
from sakuga.train.config import VGG_LAYERS, TrainConfig, config_from, config_to_json, load_config

CONFIGS = sorted(RECIPES.glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_is_valid(path):
    config = load_config(path)
    assert config.steps > config.init_steps >= 0


def test_shipped_configs_are_there():
    names = {path.stem for path in CONFIGS}
    assert {"cartoongan", "novel", "manga", "storybook", "smoke"} <= names


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_recipe_lies_in_the_package_and_its_name_finds_it(path):
    import sakuga

    assert path.is_relative_to(next(iter(sakuga.__path__)))
    assert load_config(path.stem) == load_config(path)
    load_settings(path.stem)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_recipe_claims_nothing_of_the_style_that_a_user_makes_of_it(path):
    config, empty = load_config(path), TrainConfig()
    for name in ("name", "version", "description", "licence", "attribution"):
        assert getattr(config, name) == getattr(empty, name), name
    assert (empty.description, empty.licence, empty.attribution) == ("", "", ())


def test_an_unknown_recipe_is_told_what_there_is():
    with pytest.raises(OptionError, match=r"'novle' is unknown: did you mean novel\? .*smoke"):
        load_config("novle")


def test_a_file_may_begin_with_a_recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('recipe = "novel"\nname = "ink"\nsteps = 9\n[cel]\nline_width = 2.5\n')
    novel, mine = load_config("novel"), load_config(path)
    assert (mine.name, mine.steps) == ("ink", 9)
    assert (mine.decides, mine.crop) == (novel.decides, novel.crop) == (True, 144)
    painter = load_settings(path)
    assert painter.line_width == 2.5
    assert painter.vividness == load_settings("novel").vividness
    path.write_text("recipe = 3\n")
    with pytest.raises(OptionError, match="recipe = 3: the name of one"):
        load_config(path)
    path.write_text('recipe = "mien"\n')
    with pytest.raises(OptionError, match="recipe = 'mien' is unknown"):
        load_config(path)
    path.write_text('recipe = "mine.toml"\n')
    expected = f"{path}: recipe = 'mine.toml' is unknown: .*novel.*; a file cannot be built on"
    with pytest.raises(OptionError, match=expected):
        load_config(path)


def test_overrides_come_last_and_take_toml_or_text(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('steps = 5000\nphotos = ["a"]\n[tune]\ntrials = 3\n')
    config = load_config(path, ["steps=2000", "name=cats", "photos=b,c", "ink=1"])
    assert config.steps == 2000
    assert config.name == "cats"
    assert config.photos == ("b", "c")
    assert config.ink == 1.0 and isinstance(config.ink, float)


def test_bare_text_is_text_where_text_is_wanted():
    config = load_config(
        "novel", ["pairs=2024", "anime=2024-05-01,true", "version=2.10", 'name="7"']
    )
    assert config.pairs == ("2024",)
    assert config.anime == ("2024-05-01", "true")
    assert (config.version, config.name) == ("2.10", "7")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cell]\nline_width = 3.0\n", r"unknown table \[cell\]; did you mean cel"),
        ("[cel]\nline_width = 3.0\nsteps = 7\n", r"steps stands in the table \[cel\]"),
        ("[cel]\nline_widht = 3.0\n", "did you mean line_width"),
        ("cel = 3\n", "cel is not a table"),
    ],
)
def test_no_line_of_a_file_is_passed_over(text, message, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f'recipe = "novel"\n{text}')
    with pytest.raises(OptionError, match=message):
        load_config(path)


def test_json_round_trip():
    config = config_from({"steps": 9000, "photos": ["x.tar"], "gram_weights": [1, 2, 3]})
    assert config_from(json.loads(config_to_json(config))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"setps": 3}, "did you mean steps"),
        ({"steps": "many"}, "steps = 'many': a whole number was expected"),
        ({"decides": "yes"}, "decides = 'yes': true or false was expected"),
        ({"steps": True}, "steps = True"),
        ({"generator": "resnet"}, "one of local, cartoongan"),
        ({"crop": 100}, "multiple of 8"),
        ({"batch": 0}, "at least 1"),
        ({"steps": 10, "init_steps": 20}, "init_steps 20"),
        ({"photo_sides": [512, 256]}, "rising order"),
        ({"photo_sides": [256]}, "a list of 2 values"),
        ({"gram_weights": [1.0]}, "1 values for 3 feature_layers"),
        ({"flat_weight": -1}, "flat_weight"),
        ({"ink": 1.5}, "between 0 and 1"),
        ({"accent": 0}, "above 0"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(OptionError, match=message):
        config_from(values)


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        load_config(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("steps = = 3")
    with pytest.raises(OptionError, match="not TOML"):
        load_config(broken)
    with pytest.raises(OptionError, match="key=value"):
        load_config(CONFIGS[0], ["steps"])


def test_a_zero_weight_leaves_a_discriminator_out():
    config = TrainConfig(texture_weight=0.0, surface_weight=0.2)
    assert config.adversarial_terms == {"surface": 0.2}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((name, 0) for name in ("save_every", "guard_every", "log_every", "sheet_every")),
        *((name, 0) for name in ("width", "discriminator_width", "steps", "accumulate")),
        *((name, 0.0) for name in ("gamma", "line_width", "flatten")),
        *((name, -1.0) for name in ("clip_norm", "memory_gb", "photo_noise", "texture_limit")),
        *((name, 1.0) for name in ("beta1", "beta2")),
        ("warmup_steps", -1),
        ("weight_decay", -0.1),
        ("init_lr", -1e-3),
        ("painted_negatives", -1.0),
        ("anime_positives", -1.0),
        ("smooth", "copies"),
        ("blocks", -1),
        ("final_lr", 1.5),
        ("seed", 2**63),
        ("flat_weight", float("inf")),
        ("line_slope", float("nan")),
        ("structure_weights", [1.0, float("nan"), 1.0]),
        ("feature_layers", ["conv2_2", "conv3_3", "conv9_9"]),
        ("name", ""),
        ("name", "../mine"),
        ("name", "Mine"),
    ],
)
def test_what_would_break_down_later_is_refused_at_once(field, value):
    """A division by zero, NaN from the first step on, or a style that cannot be exported."""
    with pytest.raises(OptionError, match=field):
        config_from({"init_steps": 0, field: value})


def test_layers_are_those_of_the_network():
    from sakuga.models.vgg import LAYERS

    assert LAYERS == VGG_LAYERS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train absent.toml", "absent.toml: cannot be read"),
        ("train mine.toml --set setps=3", "did you mean steps"),
        ("train mine.toml", "photos: none are named"),
        ("train mine.toml --set photos=nowhere anime=.", "photos: nowhere: no such folder"),
        ("train mine.toml --set photos=. anime=. vgg=v.pth", "vgg: v.pth: no such file"),
        ("train --resume runs/absent", "holds no checkpoint.pt to go on from: give a run's folder"),
        ("train --resume mine.toml", "mine.toml: is a file; --resume takes a run's folder"),
        ("tune absent.toml", "absent.toml: cannot be read"),
        ("tune mine.toml", "has no [tune] table"),
        ("tune search.toml", "photos: none are named"),
        ("tune search.toml --set photos=. anime=.", "network: n.onnx: no such file"),
    ],
)
def test_what_is_missing_is_told_before_torch_is_loaded(arguments, message, tmp_path):
    (tmp_path / "mine.toml").write_text('name = "mine"\n')
    (tmp_path / "search.toml").write_text(
        'batch = 2\n[tune]\nnetwork = "n.onnx"\n[tune.space]\nbatch = [2, 4]\n'
    )
    code = (
        "import sys; from sakuga.cli import run\n"
        f"assert run({arguments.split()}) == 2\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_generator_inks_as_the_painter_does(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[cel]\nline_colour = [0.1, 0.2, 0.3]\nline_tone = 0.5\n")
    config = load_config(path)
    assert (config.stroke_colour, config.stroke_tone) == ((0.1, 0.2, 0.3), 0.5)
    assert load_config(path, ["stroke_tone=0"]).stroke_tone == 0
    assert load_config("storybook").stroke_colour == (0.30, 0.17, 0.10)
    assert load_config("manga").stroke_tone == 0
    assert load_config("novel").stroke_colour == TrainConfig().stroke_colour


def test_a_second_training_is_kept_out_of_a_run(tmp_path):
    request = Request("novel", (f"pairs={tmp_path}",), run=tmp_path / "run")
    with alone_in(tmp_path / "run"), pytest.raises(OutputError, match="run: another run is at"):
        run_training(request)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):  # not after the pictures are read
        run_training(dataclasses.replace(request, run=tmp_path / "file"))
