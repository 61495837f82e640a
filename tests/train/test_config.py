"""Settings: TOML over defaults, overrides, and errors that say what to write instead."""

import json
from pathlib import Path

import pytest

from sakuga.errors import OptionError
from sakuga.train.config import TrainConfig, config_from, config_to_json, load_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_is_valid(path):
    config = load_config(path)
    assert config.steps > config.init_steps >= 0


def test_shipped_configs_are_there():
    names = {path.stem for path in CONFIGS}
    assert {"cartoongan", "sakuga-novel", "smoke"} <= names


def test_overrides_come_last_and_take_toml_or_text(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('steps = 5000\nphotos = ["a"]\n[tune]\ntrials = 3\n')
    config = load_config(path, ["steps=2000", "name=cats", "photos=b,c", "ink=1"])
    assert config.steps == 2000
    assert config.name == "cats"
    assert config.photos == ("b", "c")
    assert config.ink == 1.0 and isinstance(config.ink, float)


def test_json_round_trip():
    config = config_from({"steps": 9000, "photos": ["x.tar"], "gram_weights": [1, 2, 3]})
    assert config_from(json.loads(config_to_json(config))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"setps": 3}, "did you mean steps"),
        ({"steps": "many"}, "steps = 'many': a int was expected, a str found"),
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
