"""A search over the settings of one family, by Optuna; its SQLite file lets any number of workers share one study."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from trainer.errors import DataError
from trainer.networks import FAMILIES
from trainer.networks.classical import Estimator
from trainer.networks.heads import TwoLevel
from trainer.training.loop import DivergedError
from trainer.training.train import Request, prepared, train

if TYPE_CHECKING:
    import optuna


def suggested(request: Request, trial: optuna.Trial) -> Request:
    """The request with one trial's settings: those of the recipe that matter most, and how far sound is altered.

    What the request says of anything else stays.
    """
    recipe = replace(
        request.recipe,
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        batch=trial.suggest_categorical("batch", [32, 64, 128]),
        mixup=trial.suggest_float("mixup", 0.0, 0.6),
        mask=trial.suggest_float("mask", 0.0, 1.0),
        smoothing=trial.suggest_float("smoothing", 0.0, 0.2),
    )
    shares = {name: trial.suggest_float(name, 0.0, 0.8) for name in ("speed", "noise", "tone", "room")}
    changes = ",".join(f"{name}={share:.3f}" for name, share in shares.items())
    return replace(request, recipe=recipe, augmentation=f"{request.augmentation},{changes}")


def tune(request: Request, study: Path, trials: int, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run so many trials and put them into the study; → its best trial so far, whoever ran it.

    What is compared is balanced accuracy on validation groups (and the area under crying's ROC, where there is
    crying) after the last epoch: test groups are never looked at. A trial that falls behind the others' median is given
    up. DataError for a family that is fitted at once, and for a study of something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ready = prepared(request)
    labels = ready[0].labels
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
        where = " ".join(str(root.resolve()) for root in ready[0].roots)
        about = json.dumps([where, labels, repr(request.division), request.recipe.epochs])
        if shared.user_attrs.setdefault("about", about) != about:
            raise DataError(f"{study} is a search over other data, sides or epochs: give another file.")
        shared.set_user_attr("about", about)
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        raise DataError(f"{study} is not a file of this search, or damaged.") from error

    def objective(trial: optuna.Trial) -> float:
        folder = Path(tempfile.mkdtemp(prefix="babymonitor-trial-"))
        best = 0.0

        def watch(values: dict[str, Any]) -> None:
            nonlocal best
            if values["event"] != "epoch":
                return
            shown = [values[name] for name in ("balanced_accuracy", "crying_auc") if name in values]
            figure = sum(shown) / len(shown)
            best = figure
            trial.report(figure, values["epoch"])
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            train(replace(suggested(request, trial), output=folder / "trial.onnx", resume=False), watch, ready)
        except DivergedError as error:
            raise optuna.TrialPruned from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        tell({"event": "trial", "number": trial.number, "figure": round(best, 4), "settings": trial.params})
        return best

    shared.optimize(objective, n_trials=trials)
    if not any(trial.state == optuna.trial.TrialState.COMPLETE for trial in shared.trials):
        raise DataError("Not one trial came to its end: give more of them, or more epochs.")
    return {"figure": round(shared.best_value, 4), "settings": shared.best_params, "trials": len(shared.trials)}
