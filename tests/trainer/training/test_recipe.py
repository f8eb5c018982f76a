"""Settings of a recipe: declared once, offered on the command line, in the form's JSON and to the search."""

from __future__ import annotations

import argparse
import json

import optuna
import pytest
from made_data import REPOSITORY

from trainer.__main__ import main
from trainer.commands import options, train
from trainer.errors import DataError
from trainer.networks import FAMILIES
from trainer.training.recipe import KINDS, MACHINE, RECIPE, SETTINGS, TEACHER, Recipe
from trainer.training.request import TrainingRequest
from trainer.training.tune import suggested


def offered(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {action.dest: action for action in parser._actions}


def test_every_setting_with_a_section_is_an_option_of_train() -> None:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    actions = offered(parser)
    for name, setting in SETTINGS.items():
        assert (name in actions) == (setting.section in (RECIPE, MACHINE, TEACHER)), name
        if name in actions:
            assert actions[name].default is None, "what is not given stays the family's"
            assert actions[name].help


def test_tune_offers_what_it_does_not_search() -> None:
    parser = argparse.ArgumentParser()
    options.add_recipe(parser, searched=True)
    for name, setting in SETTINGS.items():
        assert (name in offered(parser)) == (setting.section in (RECIPE, MACHINE) and not setting.search), name


def test_a_trial_sets_what_is_searched_and_nothing_else() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    request = TrainingRequest(REPOSITORY, "cnn_tiny", REPOSITORY, Recipe(epochs=3), REPOSITORY, augmentation="night")
    trial = study.ask()
    before, after = request.recipe.to_dict(), suggested(request, trial).recipe.to_dict()
    assert {name for name in before if before[name] != after[name]} <= {
        name for name, setting in SETTINGS.items() if setting.search
    }
    assert trial.params.keys() == {
        *("learning_rate", "weight_decay", "batch", "mixup", "mask", "smoothing", "speed", "noise", "tone", "room")
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_limits_are_kept(name: str) -> None:
    setting = SETTINGS[name]
    if setting.choices:
        impossible = ["unheard of"]
    else:
        step = 1 if KINDS[name] is int else 0.001
        impossible = [setting.least - step] if setting.least is not None else []
        impossible += [setting.most + step] if setting.most is not None else []
    for value in impossible:
        with pytest.raises(DataError, match=name.replace("_", "[_ ]")):
            Recipe(**{name: value})
    for value in (setting.least, setting.most):
        if value is not None and not setting.above_least:
            Recipe(**{name: KINDS[name](value)})


def test_families_name_the_settings_that_matter_to_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["families", "--json"]) == 0
    families = {family["name"]: family for family in json.loads(capsys.readouterr().out)["families"]}
    for name, family in families.items():
        assert family["recipe"] == {**Recipe().to_dict(), **FAMILIES[name].recipe}
        names = [setting["name"] for setting in family["settings"]]
        if family["parameters"]:
            assert names == [name for name, setting in SETTINGS.items() if setting.section == RECIPE]
        else:
            assert names == ["epoch_windows", "seed"]
        for setting in family["settings"]:
            value = family["recipe"][setting["name"]]
            if setting["kind"] == "choice":
                assert value in setting["choices"]
            else:
                assert setting["least"] <= value
