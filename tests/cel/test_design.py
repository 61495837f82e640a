"""The sliders of `sakuga design`: what they set, and the recipe that is saved."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sakuga.cel.design import (
    COLOURS,
    DRAWN,
    PRESETS,
    SLIDERS,
    TONES,
    Drawn,
    preset,
    read_choice,
    shown,
    to_hex,
    to_recipe,
)
from sakuga.cel.painter import Easel, paint_cel
from sakuga.cel.settings import CelSettings, load_settings
from sakuga.cel.skin import Face
from sakuga.errors import OptionError
from sakuga.train.config import load_config

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_said_by_the_sliders(name: str) -> None:
    settings = preset(name)
    texts = [(key, str(value)) for key, value in shown(settings).items()]
    assert read_choice([("preset", name), *texts]) == (name, settings)
    assert settings.bins in TONES
    for slider in SLIDERS:
        assert slider.low <= getattr(settings, slider.setting) <= slider.high, slider.setting


def test_both_ends_of_every_slider_are_settings() -> None:
    for slider in SLIDERS:
        for value in (slider.left, slider.right):
            _, settings = read_choice([(slider.setting, str(value))])
            assert getattr(settings, slider.setting) == value


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        (("line_widht", "1"), "did you mean line_width"),
        (("line_width", "9"), "0.5 to 2.5"),
        (("line_width", "nan"), "0.5 to 2.5"),
        (("line_width", "wide"), "0.5 to 2.5"),
        (("line_flow", "1e9"), "unknown setting"),  # no slider: a task without an end
        (("bins", "7"), "one of 0, 8"),
        (("paper", "red"), "#4d2b1a"),
        (("preset", "../novel"), "novel, storybook, manga"),
    ],
)
def test_what_no_slider_says_is_refused(pair: tuple[str, str], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        read_choice([pair])


def test_a_setting_is_given_once() -> None:
    with pytest.raises(OptionError, match="twice"):
        read_choice([("ink", "1"), ("ink", "0.5")])


def test_a_saved_recipe_is_read_by_the_painter_and_by_train(tmp_path: Path) -> None:
    words = 'Says "so", \\ and\nmore\x7f'
    chosen = [("preset", "storybook"), ("line_width", "1.75"), ("paper", "#fff0e0"), ("bins", "4")]
    start, settings = read_choice(chosen)
    text = to_recipe(start, settings, name="mine", description=words, attribution="Me")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert load_settings(path) == settings != preset("storybook")
    config, book = load_config(path), load_config("storybook")
    assert (config.name, config.description, config.attribution) == ("mine", words, ("Me",))
    assert config.licence == ""
    assert config.steps == book.steps and config.decides
    assert "brush" not in text  # what is the preset's is not said again


def test_a_recipe_that_begins_with_drawings_learns_from_them(tmp_path: Path) -> None:
    like = dataclasses.replace(preset("novel"), line_width=1.7, crowding=0.4)
    drawn = Drawn(tmp_path, like, "width 1.9\nlines 0.04")
    start, settings = read_choice([("preset", DRAWN), ("gamma", "1.1")], drawn)
    assert settings == dataclasses.replace(like, gamma=1.1)
    path = tmp_path / "mine.toml"
    path.write_text(to_recipe(start, settings, name="mine", drawn=drawn), encoding="utf-8")
    assert load_settings(path) == settings and "# lines 0.04" in path.read_text()
    config = load_config(path)
    assert config.anime == (str(tmp_path),) and config.texture_weight > 0 and config.decides
    assert load_config("novel").anime == ()
    assert "anime" not in to_recipe("novel", settings, name="mine", drawn=drawn)
    with pytest.raises(OptionError, match="novel, storybook, manga"):
        read_choice([("preset", DRAWN)])


def test_a_recipe_has_the_name_of_a_style() -> None:
    with pytest.raises(OptionError, match="lower-case"):
        to_recipe("novel", preset("novel"), name='x"\nsteps = 1')


def test_colours_are_those_of_a_page() -> None:
    assert to_hex((0.30, 0.17, 0.10)) == "#4c2b1a"
    _, settings = read_choice([(name, "#336699") for name in COLOURS])
    assert settings.paper == (0.2, 0.4, 0.6)


def test_an_easel_repeats_every_stage_that_a_setting_changes() -> None:
    portrait = Image.open(EXAMPLES / "portrait_astronaut.jpg").resize((256, 256))
    photo = np.asarray(portrait)[10:122, 85:197]
    faces = (Face(56.0, 56.0, 21.0, 32.0),)
    start = CelSettings(bins=5, contrast=2.0, dodge=0.4)
    easel = Easel(photo, faces)
    before = easel.paint(start)[0]
    changed = {}
    for field in dataclasses.fields(CelSettings):
        value = getattr(start, field.name)
        if isinstance(value, tuple):
            other: object = (0.5, 0.4, 0.3)
        elif isinstance(value, int):
            other = value - 2
        else:
            other = value * 0.4
        settings = dataclasses.replace(start, **{field.name: other})
        drawing, lines = easel.paint(settings)
        expected = paint_cel(photo, settings, faces)
        assert (drawing == expected[0]).all() and (lines == expected[1]).all(), field.name
        changed[field.name] = (drawing != before).any()
        assert (easel.paint(start)[0] == before).all(), field.name
    assert [name for name, differs in changed.items() if not differs] == []
