"""Whether this computer can estimate, ROS aside: Python, packages, processor, engine and bundle."""

from __future__ import annotations

import os
import re
import sys
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from imu_emg_estimator import __version__
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.finding import Finding, Level
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.engine import make_engine, skipped_engines
from imu_emg_estimator.utils.optional_packages import REQUIREMENTS, install_command, needs
from imu_emg_estimator.utils.shipped_files import share_directory, shipped_bundle

REQUIRED = {"numpy": "numpy>=1.21", "yaml": "pyyaml>=5.4"}  # versions as in pyproject.toml
PURPOSES = {  # of the optional packages that more than one form of file or one kind of cluster needs
    "torch": "calibrating and training",
    "rosbags": "reading and writing bags",
    "onnxruntime": "a faster engine, and export,",
    "scipy": "calibrating, importing and simulating",
    "filelock": "storing calibrations",
    "joblib": "evaluating",
    "matplotlib": "drawing rigs and reports",
}
GIBIBYTE = 1 << 30


def installation_findings() -> list[Finding]:
    """Look at Python, this package and those that it uses."""
    python = f"{sys.version.split()[0]}, {sys.executable}"
    required = [_package(module, REQUIRED[module], "everything") for module in REQUIRED]
    used = [_package(module, REQUIREMENTS[module], purpose) for module, purpose in PURPOSES.items()]
    return [Finding("Python", Level.OK, python), _own_package(), *required, *used, _rest()]


def computer_findings(bundle: Bundle) -> list[Finding]:
    """Look at the processor and the engine that it runs a bundle with."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE
    cores = f"{len(os.sched_getaffinity(0))} cores ({os.uname().machine}), {memory:.1f} GiB of memory"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each is a finding
        engine = make_engine(bundle.config, bundle.weights).name
    skipped = [Finding("engine", Level.WARNING, sentence) for sentence in skipped_engines()]
    return [Finding("computer", Level.OK, cores), Finding("engine", Level.OK, engine), *skipped]


def bundle_findings(path: Path | None) -> tuple[Bundle | None, list[Finding]]:
    """Read a bundle, None = the shipped one; return it, None where that fails, and what is in it."""
    try:
        bundle = Bundle.load(path or shipped_bundle())
    except InputError as error:
        return None, [Finding("bundle", Level.PROBLEM, str(error))]
    rig = bundle.rig
    size = f"rig '{rig.name}' of {len(rig.sensors)} sensors at {rig.rate:.4g} Hz, {len(rig.muscles)} muscles"
    found = Finding("bundle", Level.OK, f"{bundle.model_id}: {size}")
    return bundle, [found, Finding("fewer sensors", Level.OK, _fewest(bundle))]


def _own_package() -> Finding:
    try:
        return Finding("imu_emg_estimator", Level.OK, f"{__version__}, {share_directory()}")
    except InputError as error:
        return Finding("imu_emg_estimator", Level.PROBLEM, str(error))


def _package(module: str, requirement: str, purpose: str) -> Finding:
    """Look at one package: whether it is there, and new enough."""
    name, _, lowest = requirement.partition(">=")
    if find_spec(module) is None:
        return Finding(name, Level.WARNING, f"{purpose} {needs(module)}")
    version = _version(name)
    if not version or _numbers(version) >= _numbers(lowest):
        return Finding(name, Level.OK, version or "installed, of unknown version")
    remedy = f": {install_command(module)}" if module in REQUIREMENTS else ""
    return Finding(name, Level.WARNING, f"{version}; {purpose} needs at least {lowest}{remedy}")


def _rest() -> Finding:
    """Look at the packages that only some forms of files, amplifiers and clusters need."""
    others = sorted(set(REQUIREMENTS) - set(PURPOSES))
    here = [module for module in others if find_spec(module)]
    absent = [module for module in others if module not in here]
    text = f"{_listed(here)}; not installed: {_listed(absent)}"
    return Finding("for some files", Level.OK, f"{text} (what needs one says so)")


def _listed(modules: list[str]) -> str:
    """Name the distributions that have these modules, as pip does."""
    return ", ".join(dict.fromkeys(re.split("[<>=]", REQUIREMENTS[module])[0] for module in modules)) or "none"


def _fewest(bundle: Bundle) -> str:
    """Say with how few sensors a bundle still estimates."""
    if (subsets := bundle.subsets) is None:
        return "not measured what is left without some of them"
    enough = [row for row in subsets.rows if subsets.meets_minimum(row)]
    least = max(enough, key=lambda row: (len(row.missing), row.r), default=subsets.whole)
    if not least.missing:
        return "needs all of them"
    left = [name for index, name in enumerate(bundle.rig.sensor_names) if index not in least.missing]
    return f"estimates with {', '.join(left)} alone, at r {least.r:.2f} instead of {subsets.whole.r:.2f}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:2]]
