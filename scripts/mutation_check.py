"""Change single conditions, operators and constants of the core at random, and check that the tests notice.

    scripts/run-in-env python scripts/mutation_check.py --seed 0 --count 40 --json build/mutations.json

Each mutation is made in a copy of the checkout. The test of the mutated module runs first, then the tests of its
folder, then all others but the ROS ones, until one fails that passes without the mutation. The seed alone decides
which mutations are made, as long as the sources stay the same. mutmut and cosmic-ray make every mutation of a module
and know one test command for all; neither draws a seeded sample with the tests of each module first.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "imu_emg_estimator"
CORE = ("signals", "model", "streaming", "calibration", "bags", "rig.py", "recording.py")
LINKED = (".venv", "install")  # the copies share them with the checkout
LEFT_OUT = {".git", "__pycache__", "build", "log", *LINKED}
TEST_TIMEOUT_S = 600
QUICK, ALL = "not slow and not ros and not hostile", "not ros"
KINDS = ("condition", "logic", "arithmetic", "constant")

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True)
class Mutation:
    """One change of one expression; ``noticed_by`` is the first failed test, empty if none failed."""

    file: str
    line: int
    kind: str
    before: str
    after: str
    start: int
    """Offset of the expression in the file's UTF-8 text [bytes]."""
    noticed_by: str = ""
    duration_s: float = 0.0

    def apply(self, source: bytes) -> bytes:
        """Return the file's text with the expression replaced."""
        end = self.start + len(self.before.encode())
        return source[: self.start] + f"({self.after})".encode() + source[end:]


def main() -> int:
    """Run the command; return 1 if more than one mutation in forty goes unnoticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=40, help="number of mutations (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="mutations tested at the same time (%(default)s)")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    parser.add_argument("--list", action="store_true", help="only list the mutations")
    options = parser.parse_args()
    mutations = sample(options.seed, options.count)
    if options.list:
        print("\n".join(described(mutation) for mutation in mutations))
        return 0
    results = []
    for result in check_all(mutations, options.jobs):
        results.append(result)
        print(f"{described(result)}\n    {result.noticed_by or 'NOT NOTICED'} ({result.duration_s:.0f} s)", flush=True)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    unnoticed = sum(not result.noticed_by for result in results)
    print(f"{len(results) - unnoticed} of {len(results)} mutations noticed")
    return int(40 * unnoticed > len(results))


def described(mutation: Mutation) -> str:
    """Return the mutation in one line."""
    before, after = (" ".join(text.split()) for text in (mutation.before, mutation.after))
    return f"{mutation.file}:{mutation.line} {mutation.kind}: {before}  ->  {after}"


def sample(seed: int, count: int) -> list[Mutation]:
    """Draw different mutations of the core, equally many of each kind."""
    generator = random.Random(seed)
    found: dict[str, list[Mutation]] = {kind: [] for kind in KINDS}
    for file in core_files():
        for mutation in mutations_of(file, generator):
            found[mutation.kind].append(mutation)
    drawn = {kind: generator.sample(found[kind], -(-count // len(KINDS))) for kind in KINDS}
    return [drawn[KINDS[index % len(KINDS)]][index // len(KINDS)] for index in range(count)]


def core_files() -> Iterator[Path]:
    """Return the files of the core in a fixed order."""
    for name in CORE:
        path = ROOT / PACKAGE / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def mutations_of(file: Path, generator: random.Random) -> Iterator[Mutation]:
    """Return one mutation of every expression of a file that can be mutated."""
    source = file.read_bytes()
    line_starts = [0]
    for line in source.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))
    for node in executed(ast.parse(source)):
        mutant = mutated(node, generator)
        if mutant is not None:
            kind, after = mutant
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            start = line_starts[node.lineno - 1] + node.col_offset
            end = line_starts[node.end_lineno - 1] + node.end_col_offset
            before = source[start:end].decode()
            name = str(file.relative_to(ROOT))
            yield Mutation(name, node.lineno, kind, before, ast.unparse(after), start)


def executed(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the executed expressions, without annotations and the contents of f-strings."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.expr):
                yield child
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from executed(child)


def mutated(node: ast.expr, generator: random.Random) -> tuple[str, ast.expr] | None:
    """Return the kind of mutation and the mutated expression; None if it cannot be mutated."""
    other = deepcopy(node)
    match other:
        case ast.Compare():
            index = generator.randrange(len(other.ops))
            other.ops[index] = COMPARISONS[type(other.ops[index])]()
            return "condition", other
        case ast.UnaryOp(op=ast.Not()):
            return "condition", other.operand
        case ast.BoolOp():
            other.op = ast.Or() if isinstance(other.op, ast.And) else ast.And()
            return "logic", other
        case ast.BinOp() if type(other.op) in OPERATORS:
            other.op = OPERATORS[type(other.op)]()
            return "arithmetic", other
        case ast.Constant(value=bool() | str() | bytes() | None):
            return None
        case ast.Constant(value=int(value)):
            return "constant", ast.Constant(value + generator.choice((-1, 1)) * max(1, abs(value) // 10))
        case ast.Constant(value=float(value)):
            return "constant", ast.Constant(value * generator.choice((0.9, 1.1)) if value else 0.1)
    return None


def check_all(mutations: list[Mutation], jobs: int) -> Iterator[Mutation]:
    """Test every mutation, each in one of as many copies of the checkout as there are jobs."""
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for index in range(jobs):
            copies.put(copy_checkout(Path(folder) / str(index)))

        def check_in_a_copy(mutation: Mutation) -> Mutation:
            copy = copies.get()
            try:
                return check_one(mutation, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(check_in_a_copy, mutations)


def copy_checkout(target: Path) -> Path:
    """Copy the sources and link to the environment; return the copy."""
    shutil.copytree(ROOT, target, symlinks=True, ignore=lambda _, names: LEFT_OUT.intersection(names))
    for name in LINKED:
        (target / name).symlink_to(ROOT / name)
    return target


def check_one(mutation: Mutation, copy: Path) -> Mutation:
    """Run the tests on one mutation until one fails; return the mutation with that test."""
    began = time.monotonic()
    stages = nearest_first(mutation, copy)
    noticed_by = next((failure for stage in stages if (failure := notice(mutation, copy, *stage))), "")
    return replace(mutation, noticed_by=noticed_by, duration_s=round(time.monotonic() - began, 1))


def nearest_first(mutation: Mutation, copy: Path) -> list[tuple[str, str]]:
    """Return the module's own test, the tests of its folder, and all tests, each with the markers to run."""
    path = Path(mutation.file).relative_to(PACKAGE)
    folder = Path("test") / path.parent
    stages = [(str(folder / f"test_{path.name}"), ALL), (str(folder), QUICK), (str(folder), ALL)]
    stages += [("test", QUICK), ("test", ALL)]
    return [stage for stage in dict.fromkeys(stages) if (copy / stage[0]).exists()]


def notice(mutation: Mutation, copy: Path, tests: str, markers: str) -> str:
    """Return the first test that fails with the mutation and passes without it; empty if there is none."""
    file = copy / mutation.file
    source = file.read_bytes()
    unreliable: list[str] = []
    while True:
        file.write_bytes(mutation.apply(source))
        try:
            failure = first_failure(copy, tests, markers, unreliable)
        finally:
            file.write_bytes(source)
        if not failure or not first_failure(copy, failure, ALL, []):
            return failure
        if failure in unreliable:
            sys.exit(f"{failure} fails without the mutation, too, and cannot be left out; see why, and mend it first")
        unreliable.append(failure)


def first_failure(copy: Path, tests: str, markers: str, unreliable: list[str]) -> str:
    """Run some tests in a copy; return the first that fails."""
    command = [str(copy / "scripts" / "run-in-env"), "python", "-m", "pytest", "-x", "-q", "-n0", "-m", markers]
    command += [f"--timeout={TEST_TIMEOUT_S}", "--no-header", "-rfE", "--tb=no", "-p", "no:cacheprovider", tests]
    command += [f"--deselect={name}" for name in unreliable]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if run.returncode in (0, 5):  # 5: there was no test to run
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+\.py(?:::.+?)?)(?: - |$)", run.stdout, re.MULTILINE)
    return failed[1] if failed else tests


if __name__ == "__main__":
    sys.exit(main())
