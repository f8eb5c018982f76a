"""A search over the settings of one family, by Optuna; its SQLite file lets any number of workers share one study."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from trainer.errors import DataError
from trainer.networks import FAMILIES
from trainer.networks.classical import Estimator
from trainer.networks.heads import TwoLevel
from trainer.training.loop import DivergedError, EventSink
from trainer.training.prepare import prepare
from trainer.training.recipe import SETTINGS, Search
from trainer.training.request import TrainingRequest
from trainer.training.train import train

if TYPE_CHECKING:
    import optuna


def suggested(request: TrainingRequest, trial: optuna.Trial) -> TrainingRequest:
    """Return the request with one trial's settings: recipe settings that are searched, and how far sound is altered.

    Everything else in the request stays.
    """
    settings = {name: _suggestion(trial, name, setting.search) for name, setting in SETTINGS.items() if setting.search}
    shares = {name: trial.suggest_float(name, 0.0, 0.8) for name in ("speed", "noise", "tone", "room")}
    changes = ",".join(f"{name}={share:.3f}" for name, share in shares.items())
    recipe = replace(request.recipe, **settings)
    return replace(request, recipe=recipe, augmentation=f"{request.augmentation},{changes}")


def _suggestion(trial: optuna.Trial, name: str, search: Search) -> Any:
    if search.choices:
        return trial.suggest_categorical(name, search.choices)
    return trial.suggest_float(name, search.low, search.high, log=search.log)


def tune(request: TrainingRequest, study: Path, trials: int, emit: EventSink) -> dict[str, Any]:
    """Run `trials` trials and add them to the study. Returns its best trial so far, whoever ran it.

    Trials are compared by balanced accuracy on validation groups (and the area under crying's ROC, where there is
    crying) after the last epoch; test groups are never looked at. A trial that falls behind the median of the others is
    given up. Raises DataError for a family that is fitted at once, and for a study of something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    prepared = prepare(request)
    labels = prepared.data.labels
    if isinstance(FAMILIES[request.family].network(labels, "random"), Estimator):
        raise DataError(f"The family '{request.family}' is fitted at once: there is nothing to search over.")
    if not request.augmentation:
        request = replace(request, augmentation="night" if TwoLevel(labels).two_sided else "speech")
    study.parent.mkdir(parents=True, exist_ok=True)
    try:
        shared = optuna.create_study(
            storage=f"sqlite:///{study}",
            study_name=request.family,
            direction="maximize",
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(multivariate=True),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=3),
        )
        folders = " ".join(str(root.resolve()) for root in prepared.data.roots)
        about = json.dumps([folders, labels, repr(request.division), request.recipe.epochs])
        if shared.user_attrs.setdefault("about", about) != about:
            raise DataError(f"{study} is a search over other data, sides or epochs: give another file.")
        shared.set_user_attr("about", about)
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        raise DataError(f"{study} is not a file of this search, or damaged.") from error

    def objective(trial: optuna.Trial) -> float:
        folder = Path(tempfile.mkdtemp(prefix="babymonitor-trial-"))
        latest = 0.0

        def watch(values: dict[str, Any]) -> None:
            nonlocal latest
            if values["event"] != "epoch":
                return
            figures = [values[name] for name in ("balanced_accuracy", "crying_auc") if name in values]
            figure = sum(figures) / len(figures)
            latest = figure
            trial.report(figure, values["epoch"])
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            train(replace(suggested(request, trial), output=folder / "trial.onnx", resume=False), watch, prepared)
        except DivergedError as error:
            raise optuna.TrialPruned from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        emit({"event": "trial", "number": trial.number, "figure": round(latest, 4), "settings": trial.params})
        return latest

    shared.optimize(objective, n_trials=trials)
    if not any(trial.state == optuna.trial.TrialState.COMPLETE for trial in shared.trials):
        raise DataError("Not one trial came to its end: give more of them, or more epochs.")
    return {"figure": round(shared.best_value, 4), "settings": shared.best_params, "trials": len(shared.trials)}
