"""Plans: the tuning, training and scoring jobs of each protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.accuracy import adaptation_protocol as adaptation
from benchmarks.accuracy import calibration_protocol as calibration
from benchmarks.accuracy import streaming_protocol as streaming
from benchmarks.accuracy import verdict_protocol as verdicts
from benchmarks.accuracy import within_subject_reference as within_subject
from benchmarks.accuracy.ablations import ABLATIONS
from benchmarks.accuracy.adaptation_methods import METHODS, MethodSettings, recommended
from benchmarks.accuracy.cycle_models import MODEL_NAMES, CycleSettings
from benchmarks.accuracy.ill_posedness import LIKENESS
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.meta_stages import MetaStage, usual_stage
from benchmarks.accuracy.models import ARCHITECTURES, GRID, MODELS, Budget, Settings
from benchmarks.accuracy.subject_prior import FilmSettings
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.data_splits import folds_of
from imu_emg_estimator.training.fit_conformal_uncertainty import SECONDS as CALIBRATION
from imu_emg_estimator.training.pretraining import TrainingSettings

OWN = "geglu_transformer"  # the model with which the others are compared
TUNED_FIRST = ("streaming", "adaptation", "uncertainty", "calibration")  # the others tune within each job
DEFAULT_CANDIDATE = 2  # index in the grid without tuning: the recipe's settings
TUNING_FOLDS = 5
INNER_FOLDS = 2
TUNING_SHARE = 0.2  # of a training's steps: candidates differ early
INTERVAL_FOLDS = 3  # inner folds on which intervals are fitted
ALL_SUBJECTS = "subjects"  # as many folds as subjects
KNOWN: dict[str, tuple[str, ...]] = {  # models of a protocol, or their equivalents
    "streaming": tuple(MODELS),
    "gait-cycle": MODEL_NAMES,
    "adaptation": tuple(ARCHITECTURES),
    "ablation": tuple(ABLATIONS),
    "uncertainty": tuple(ARCHITECTURES),
    "ill-posedness": (LIKENESS,),
    "calibration": (OWN,),
}
DEFAULTS = KNOWN | {"adaptation": (OWN,), "uncertainty": (OWN,)}


@dataclass(frozen=True)
class Plan:
    """Models, subjects and settings to compare under equal conditions.

    Attributes:
        rig: of all recordings.
        subjects: all subjects.
        folds: subjects left out of each fold.
        models: names of models, or of variants.
        seeds: of the trainings.
        budget: of every training.
        seconds: amounts of calibration [s].
        adaptation: how the models are calibrated in the streaming protocol.
        long: how the within-subject reference is trained on the subject's own recordings, if not as the models are
            calibrated.
        methods: of the adaptation protocol.
        meta: meta-learning stages after plain pre-training, whose networks the sweep adapts as well.
        film: how the embedding of subjects is learned, for the methods that use it.
        cycles: recipe of the gait-cycle protocol.
        tune: whether hyperparameters are chosen on other subjects first.
        tuned: candidate of each model's grid by tuning fold; a model that is missing takes its usual one.
    """

    rig: Rig
    subjects: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    budget: Budget = field(default_factory=Budget)
    seconds: tuple[float, ...] = (0.0, 30.0, 60.0)
    adaptation: AdaptationSettings = field(default_factory=recommended)
    long: AdaptationSettings = within_subject.LONG
    methods: tuple[MethodSettings, ...] = ()
    meta: tuple[MetaStage, ...] = ()
    film: FilmSettings = field(default_factory=FilmSettings)
    cycles: CycleSettings = field(default_factory=CycleSettings)
    tune: bool = False
    tuned: Mapping[str, Sequence[Settings]] = field(default_factory=dict)

    @property
    def tuning_folds(self) -> tuple[tuple[str, ...], ...]:
        """Subjects left out of each choice of hyperparameters: five folds, or the plan's folds if those overlap."""
        if len(self.subjects) > TUNING_FOLDS:
            coarse = tuple(map(tuple, folds_of(self.subjects, TUNING_FOLDS)))
            if all(any(set(fold) <= set(part) for part in coarse) for fold in self.folds):
                return coarse
        return self.folds

    def chosen_for(self, model: str, left_out: Sequence[str]) -> Settings | None:
        """Return the hyperparameters chosen without the subjects left out; None = the default ones."""
        if model not in self.tuned:
            return None
        place = next(index for index, part in enumerate(self.tuning_folds) if set(left_out) <= set(part))
        return self.tuned[model][place]


def make_plan(
    protocol: str,
    recordings: Sequence[Recording],
    folds: str = "5",
    models: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: int = 1,
    steps: int | None = None,
    seconds: Sequence[float] | None = None,
    tune: bool = False,
    gyroscopes: bool = True,
    meta: Sequence[str] | None = None,
) -> Plan:
    """Make a protocol's plan; missing values take the protocol's defaults.

    Args:
        folds: so many subject-disjoint folds, or ``subjects`` for one subject each.
        seeds: number of trainings of every model and fold.
        steps: optimiser steps of every training.
        tune: choose every network's hyperparameters first, on subjects other than those that they will be scored on.
        gyroscopes: whether models look at them.
        meta: kinds of meta-learning stages of the sweep; none = only networks without.

    Raises:
        InputError: too few subjects, or a name that is not known.
    """
    if not recordings:
        raise InputError("the data set holds no recording; name other data or other subjects")
    chosen = check_models(protocol, models or DEFAULTS[protocol])
    if protocol == "adaptation" and len(chosen) > 1:
        raise InputError(f"methods of adaptation are compared on one model, not on {', '.join(chosen)}; name one")
    subjects = list(by_subject(recordings))
    parts = folds_of(subjects, len(subjects) if folds == ALL_SUBJECTS else int(folds))
    budget, cycles = Budget(), CycleSettings(candidates=GRID if tune else (GRID[DEFAULT_CANDIDATE],))
    return Plan(
        rig=recordings[0].rig,
        subjects=tuple(subjects),
        folds=tuple(map(tuple, parts)),
        models=chosen,
        seeds=tuple(range(seeds)),
        budget=replace(budget, steps=steps or budget.steps, gyroscopes=gyroscopes),
        cycles=replace(cycles, steps=steps or cycles.steps),
        tune=tune,
        seconds=tuple(seconds or (adaptation.SECONDS if protocol == "adaptation" else streaming.SECONDS)),
        long=replace(within_subject.LONG, steps=min(within_subject.LONG.steps, steps or within_subject.LONG.steps)),
        meta=tuple(usual_stage(kind) for kind in (("reptile",) if meta is None else meta)),
        methods=check_methods(methods or tuple(METHODS)),
    )


# jobs


def tuning_jobs(plan: Plan, protocol: str) -> list[Job]:
    """Make a job per tunable model, candidate and tuning fold, each on a part of the budget; none without tuning."""
    if not plan.tune or protocol not in TUNED_FIRST:
        return []
    plan = replace(plan, budget=replace(plan.budget, steps=max(1, round(TUNING_SHARE * plan.budget.steps))))
    return [
        Job(
            "tune", model, left_out, fold, 0,
            {"candidate": candidate, "inner_folds": INNER_FOLDS, **_recipe(plan)},
        )
        for model in dict.fromkeys(plan.models)
        for candidate in MODELS[model].grid
        for fold, left_out in enumerate(plan.tuning_folds)
    ]  # fmt: skip


def tuned_plan(plan: Plan, done: Sequence[Job], folder: RunFolder) -> Plan:
    """Return the plan with the best candidates of the finished tuning jobs."""
    tuned = {}
    for model in dict.fromkeys(job.model for job in done):
        jobs = [job for job in done if job.model == model]
        tuned[model] = [
            max((job for job in jobs if job.fold == fold), key=lambda job: _tuning_r(folder, job)).settings["candidate"]
            for fold in range(len(plan.tuning_folds))
        ]
    return replace(plan, tuned=tuned)


def _tuning_r(folder: RunFolder, job: Job) -> float:
    record = folder.read(job)
    r = record["outcome"]["r"] if record else None
    return -np.inf if r is None else float(r)


def training_job(plan: Plan, model: str, fold: int, seed: int) -> Job:
    """Make the job that trains a model on all subjects but those of a fold."""
    left_out = plan.folds[fold]
    settings = {"chosen": plan.chosen_for(model, left_out), **_recipe(plan)}
    return Job("train", model, left_out, fold, seed, settings)


def streaming_jobs(plan: Plan) -> list[Job]:
    """Make jobs for every model, and for the within-subject reference if this package's model is included."""
    jobs = [
        Job(
            "streaming", model, left_out, fold, seed,
            {"seconds": plan.seconds, "adaptation": plan.adaptation},
            source=training_job(plan, model, fold, seed),
        )
        for model in plan.models
        for fold, left_out in enumerate(plan.folds)
        for seed in plan.seeds
    ]  # fmt: skip
    settings = {"seconds": plan.seconds, "ways": (plan.long, plan.adaptation)}
    own = [job for job in jobs if job.model == OWN]
    return jobs + [
        replace(job, task=within_subject.WITHIN_SUBJECT, model=within_subject.WITHIN_SUBJECT, settings=settings)
        for job in own
    ]


def adaptation_jobs(plan: Plan) -> list[Job]:
    """Make jobs for every method on the network trained in episodes, and for some on one without episodes.

    The meta-learning stages go on from the plain one.
    """
    plain = replace(plan, budget=replace(plan.budget, episodic=False))
    jobs = []
    for fold, left_out in enumerate(plan.folds):
        for seed in plan.seeds:
            network = training_job(plan, plan.models[0], fold, seed)
            transferred = training_job(plain, plan.models[0], fold, seed)
            stages: dict[str, Job] = {"": network, adaptation.NO_EPISODES: transferred}
            for meta in plan.meta:
                stages[f", {meta.kind}"] = replace(
                    transferred, task="meta", settings={"meta": meta}, source=transferred
                )
            for stage, source in stages.items():
                for settings in plan.methods:
                    if stage and settings.method not in adaptation.COMPARED:
                        continue
                    needed = source
                    if settings.method in adaptation.WITH_PRIOR:
                        needed = replace(source, task="prior", settings={"film": plan.film}, source=source)
                    own = {"seconds": plan.seconds, "adaptation": settings}
                    jobs.append(Job("adaptation", settings.method + stage, left_out, fold, seed, own, source=needed))
    return jobs


def ablation_jobs(plan: Plan) -> list[Job]:
    """Make jobs for every variant of the recipe; each job trains and scores."""
    settings = {**_recipe(plan), "seconds": plan.seconds, "adaptation": plan.adaptation}
    return [
        Job("ablation", name, left_out, fold, seed, {**settings, "variant": _described(name)})
        for name in plan.models
        for fold, left_out in enumerate(plan.folds)
        for seed in plan.seeds
    ]


def uncertainty_jobs(plan: Plan) -> list[Job]:
    """Make jobs for every network; each job trains those of its inner folds, and scores."""
    own = {"adaptation": plan.adaptation, "calibration": CALIBRATION, "inner_folds": INTERVAL_FOLDS}
    return [
        replace(source, task="uncertainty", settings={**source.settings, **own}, source=source)
        for model in plan.models
        for fold in range(len(plan.folds))
        for seed in plan.seeds
        for source in [training_job(plan, model, fold, seed)]
    ]


def calibration_jobs(plan: Plan) -> list[Job]:
    """Make two jobs for every fold: all bags of its subjects, and the verdicts on them."""
    bags = [
        replace(
            source,
            task="calibration",
            settings={"bags": calibration.BAGS, "adaptation": plan.adaptation},
            source=source,
        )
        for model in plan.models
        for fold in range(len(plan.folds))
        for seed in plan.seeds
        for source in [training_job(plan, model, fold, seed)]
    ]
    return bags + [replace(job, task="verdicts", model=verdicts.VERDICTS, settings={}) for job in bags]


def _described(name: str) -> dict[str, Any]:
    """Convert a variant to JSON values."""
    variant = ABLATIONS[name]
    return vars(variant) | {"transform": variant.transform.__name__ if variant.transform else None}


def gait_cycle_jobs(plan: Plan) -> list[Job]:
    """Make jobs for every model; each job trains, tunes if wanted, and scores."""
    return [
        Job("gait-cycle", model, left_out, fold, seed, {"settings": replace(plan.cycles, seed=seed)})
        for model in plan.models
        for fold, left_out in enumerate(plan.folds)
        for seed in plan.seeds
    ]


def ill_posedness_jobs(plan: Plan) -> list[Job]:
    """Make one job over all subjects, without training."""
    return [Job("ill-posedness", name, ()) for name in plan.models]


JOBS: dict[str, Callable[[Plan], list[Job]]] = {
    "streaming": streaming_jobs,
    "gait-cycle": gait_cycle_jobs,
    "adaptation": adaptation_jobs,
    "ablation": ablation_jobs,
    "uncertainty": uncertainty_jobs,
    "ill-posedness": ill_posedness_jobs,
    "calibration": calibration_jobs,
}


def _recipe(plan: Plan) -> dict[str, Any]:
    """Return everything that a training depends on besides model, subjects and seed."""
    budget = plan.budget
    return {
        "budget": budget,
        "shape": budget.config(plan.rig),
        "recipe": TrainingSettings(steps=budget.steps, batch=budget.batch, sequence=budget.sequence),
    }


# checks


def check_models(protocol: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names if the protocol knows them all; else raise InputError."""
    if unknown := [name for name in names if name not in KNOWN[protocol]]:
        raise InputError(f"{protocol} does not know '{unknown[0]}'; use any of {', '.join(KNOWN[protocol])}")
    return tuple(dict.fromkeys(names))


def check_methods(names: Sequence[str]) -> tuple[MethodSettings, ...]:
    """Return the settings of the named methods; raise InputError for an unknown one."""
    if unknown := [name for name in names if name not in METHODS]:
        raise InputError(f"adaptation method '{unknown[0]}' is not known; use any of {', '.join(METHODS)}")
    return tuple(recommended(name) for name in dict.fromkeys(names))
