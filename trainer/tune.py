"""A search over the settings of one family, by Optuna; its SQLite file lets any number of workers share one study."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.corpora import DataError
from trainer.networks import FAMILIES
from trainer.run import Request, recipe_of, train

if TYPE_CHECKING:
    import optuna


def suggested(request: Request, trial: optuna.Trial) -> Request:
    """The request with one trial's settings: those of the recipe that matter most, and how far sound is altered."""
    recipe = recipe_of(
        request.family,
        **{
            **{name: getattr(request.recipe, name) for name in ("epochs", "epoch_windows", "reuse", "seed", "workers")},
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
            "batch": trial.suggest_categorical("batch", [32, 64, 128]),
            "mixup": trial.suggest_float("mixup", 0.0, 0.6),
            "mask": trial.suggest_float("mask", 0.0, 1.0),
            "smoothing": trial.suggest_float("smoothing", 0.0, 0.2),
            "precision": request.recipe.precision,
        },
    )
    preset = request.augmentation.partition(",")[0] or "speech"
    shares = {name: trial.suggest_float(name, 0.0, 0.8) for name in ("speed", "noise", "tone", "room")}
    changes = ",".join(f"{name}={share:.3f}" for name, share in shares.items())
    return replace(request, recipe=recipe, augmentation=f"{preset},{changes}")


def tune(request: Request, study: Path, trials: int, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run so many trials and put them into the study; → its best trial so far, whoever ran it.

    What is compared is balanced accuracy on validation groups (and the area under crying's ROC, where there is
    crying): test groups are never looked at. A trial that falls behind the others' median is given up.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not FAMILIES[request.family].recipe and FAMILIES[request.family].front.features.kind == "spectral":
        raise DataError(f"The family '{request.family}' is fitted at once: there is nothing to search over.")
    study.parent.mkdir(parents=True, exist_ok=True)
    shared = optuna.create_study(
        storage=f"sqlite:///{study}",
        study_name=request.family,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(multivariate=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=3),
    )

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
            train(replace(suggested(request, trial), output=folder / "trial.onnx", resume=False), watch)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        tell({"event": "trial", "number": trial.number, "figure": round(best, 4), "settings": trial.params})
        return best

    shared.optimize(objective, n_trials=trials)
    return {"figure": round(shared.best_value, 4), "settings": shared.best_params, "trials": len(shared.trials)}
