"""Runs the parts of the reliability benchmark, and writes the report."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.command_options import run_folder_of, shown_command
from benchmarks.reliability.false_alarms import run_clean
from benchmarks.reliability.fault_cases import CASES
from benchmarks.reliability.fault_trials import run_trial, trials
from benchmarks.reliability.placement_trials import placement_jobs, run_placement
from benchmarks.reliability.random_faults import run_random
from benchmarks.reliability.reliability_jobs import Job, Task, code_fingerprint, outcomes, run_jobs
from benchmarks.reliability.reliability_options import PARTS
from benchmarks.reliability.reliability_report import markdown, summarise
from benchmarks.reliability.soak_runs import run_bytes, run_soak
from benchmarks.reliability.subject_scenes import Subject, recorded_subjects, simulated_subjects
from benchmarks.report_writer import write_report
from benchmarks.run_folder import RunFolder, read_json
from imu_emg_estimator.cli.shared_options import load_recordings, write_json
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import to_json
from imu_emg_estimator.utils.shipped_files import shipped_bundle

SIMULATED_SUBJECTS = 3
TASKS: Mapping[str, Task] = {
    "faults": run_trial, "placement": run_placement, "clean": run_clean, "random": run_random, "bytes": run_bytes,
    "soak": run_soak,
}  # fmt: skip
WITHOUT_PROCESSES = tuple(TASKS)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; exit status 1 if the live path raised or was stuck."""
    parts = arguments.only or WITHOUT_PROCESSES
    if unknown := [part for part in parts if part not in PARTS]:
        raise InputError(f"--only '{unknown[0]}' is no part; choose from {', '.join(PARTS)}")
    path = run_folder_of(arguments)
    manifest = path / "manifest.json"
    if arguments.report_only:
        found = read_json(manifest)
        if found is None:
            raise InputError(f"{path} holds no run; run the benchmark without --report first")
    else:
        found = _measure(arguments, parts, path)
        write_atomically(manifest, to_json(found))
    folder = RunFolder(path, found["data"])
    done = outcomes(folder, [Job(**values) for values in found["jobs"]])
    results = {**summarise(done), "made": found["made"], "subjects": found["subjects"], "before": _before(arguments)}
    table = markdown(results)
    write_report(arguments.report_folder, results, table, lambda _, __: None)
    print(table)
    print(f"wrote {arguments.report_folder}")
    write_json(arguments.json, results)
    return 1 if results["exceptions"] or results["stuck"] else 0


def _before(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the share of unsaid messages in an earlier report, by group; as the last report had it where not given."""
    if arguments.before is None:
        return dict((read_json(arguments.report_folder / "results.json") or {}).get("before", {}))
    earlier = read_json(arguments.before)
    if earlier is None or "groups" not in earlier:
        raise InputError(f"--before {arguments.before} is no results.json of this benchmark; give one")
    return {name: row["unsaid_share"] for name, row in earlier["groups"].items()}


def _measure(arguments: argparse.Namespace, parts: Sequence[str], path: Path) -> dict[str, Any]:
    """Run the missing jobs; return the manifest of this run, together with what the folder held of the same code."""
    bundle = arguments.bundle or shipped_bundle()
    subjects = {subject.name: subject for subject in _subjects(arguments, bundle, path)}
    source = f"{arguments.dataset} {sorted(subjects)}" if arguments.data else "simulated"
    folder = RunFolder(path, f"{code_fingerprint()} {Bundle.load(bundle).model_id} {source}")
    jobs = [job for part in parts if part in TASKS for job in _jobs(part, arguments, list(subjects.values()))]
    run_jobs(folder, [(job, subjects[job.subject]) for job in jobs], TASKS, arguments.workers)
    if "live" in parts:
        from benchmarks.reliability.live_faults import live_jobs, run_live_jobs

        jobs += live_jobs(arguments.seed)
        run_live_jobs(folder, live_jobs(arguments.seed), bundle)
    before = read_json(path / "manifest.json") or {}
    kept = before["jobs"] if before.get("data") == folder.data else []
    mine = [job.to_dict() for job in jobs]
    return {
        "data": folder.data,
        "jobs": [job for job in kept if job not in mine] + mine,
        "subjects": {"names": sorted(subjects), "source": arguments.dataset if arguments.data else "simulated"},
        "made": {"command": shown_command(arguments), **machine.describe()},
    }


def _subjects(arguments: argparse.Namespace, bundle: Path, path: Path) -> Iterator[Subject]:
    if arguments.data is None:
        return simulated_subjects(SIMULATED_SUBJECTS, bundle)
    bundles = path / "bundles"
    bundles.mkdir(parents=True, exist_ok=True)
    wanted, arguments.subjects = arguments.subjects, None  # the bundles need the motion of the others too
    found = recorded_subjects(load_recordings(arguments), bundle, bundles)
    return (subject for subject in found if not wanted or subject.name in wanted)


def _jobs(part: str, arguments: argparse.Namespace, subjects: Sequence[Subject]) -> Iterator[Job]:
    seed = arguments.seed
    if part == "faults":
        prefixes = tuple(arguments.cases or ("",))
        cases = [case for case in CASES if case.name.startswith(prefixes)]
        if not cases:
            raise InputError(f"no fault has a name that begins with {', '.join(prefixes)}; see docs/reliability.md")
        yield from trials(cases, subjects, range(seed, seed + arguments.repeats))
    elif part == "placement":
        yield from placement_jobs([subject.name for subject in subjects], seed, arguments.repeats)
    elif part == "clean":
        yield from (Job(part, "all", subject.name, seed, arguments.clean_minutes) for subject in subjects)
    elif part == "random":
        for minute in range(arguments.minutes):
            yield Job(part, "minute", subjects[minute % len(subjects)].name, 1000 * seed + minute)
    else:
        size = arguments.soak_hours if part == "soak" else arguments.buffers
        yield Job(part, "all", subjects[0].name, seed, size)
