"""Code in the documentation is run here, or compiled if it is C++, or says why not; other commands are parsed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.markdown_pages import ROOT, CodeBlock, code_blocks, page_name, pages
from fixtures.page_runs import reader_environment

from benchmarks import __main__ as benchmarks_command
from imu_emg_estimator.cli.main import build_parser

NOT_COMMANDS = {"mermaid", "text", "xml", "yaml"}
RUNNABLE = {"bash", "python", "cpp"}
COMPILER = os.environ.get("CXX", "c++")
MAX_S = 1500  # a hang, not a busy machine
TESTED = [page for page in pages() if any(block.mark == "test" for block in code_blocks(page))]


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_code_block_is_run_or_says_why_not(page: Path) -> None:
    blocks = [block for block in code_blocks(page) if block.language not in NOT_COMMANDS]
    unmarked = [f"{page_name(page)}:{block.line}" for block in blocks if not is_marked(block)]
    assert not unmarked, f"put <!-- test --> or <!-- not run: REASON --> before {unmarked}"


def is_marked(block: CodeBlock) -> bool:
    if block.mark == "test":
        return block.language in RUNNABLE
    return block.mark == "not run" and len(block.note.split()) > 1


@pytest.mark.slow
@pytest.mark.parametrize("page", TESTED, ids=page_name)
def test_commands_of_page_run(page: Path, tmp_path: Path) -> None:
    run_blocks([block for block in code_blocks(page) if block.mark == "test"], tmp_path)


def run_blocks(blocks: list[CodeBlock], folder: Path) -> None:
    """Run the blocks of one page one after the other in one folder, as a reader does."""
    environment = reader_environment(folder)
    for block in blocks:
        if block.language == "python":
            run([*shell(), block.note], folder, environment)
            run([sys.executable, "-c", block.text], folder, environment)
        elif block.language == "cpp":
            compile_cpp(block, folder, environment)
        else:  # in one shell, so that the block sees the variables of what precedes it
            run([*shell(), f"{block.note}\n{block.text}"], folder, environment)


def compile_cpp(block: CodeBlock, folder: Path, environment: dict[str, str]) -> None:
    source = folder / "block.cpp"
    source.write_text(block.text)
    if shutil.which(COMPILER):
        options = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}"]
        run([COMPILER, *options, "-fsyntax-only", str(source)], folder, environment)


def shell() -> list[str]:
    return ["bash", "-euo", "pipefail", "-c"]


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MAX_S)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_commands_and_options_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parsers = {"imu-emg": build_parser(), "python -m benchmarks": benchmarks_command._parser()}
    calls = [(parser, *call) for program, parser in parsers.items() for call in commands_of(program, page)]
    for parser, line, words in calls:
        try:
            parser.parse_args(words)
        except SystemExit:
            pytest.fail(f"{page_name(page)}: {line}\n{capsys.readouterr().err}")


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text()))
    named = {word for _, words in commands_of("make", page) for word in words if word.isidentifier()}
    inline = set(re.findall(r"`make (\w+)", page.read_text(encoding="utf-8")))
    assert named | inline <= targets


def commands_of(program: str, page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield every call of a program in the shell commands of a page: the line and the arguments."""
    for block in (block for block in code_blocks(page) if block.language == "bash"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for words in split_commands(line):
                name = program.split()
                if words[: len(name)] == name:
                    yield line, words[len(name) :]


def split_commands(line: str) -> Iterator[list[str]]:
    """Split a line of shell at `&&`, `|` and `&`."""
    command: list[str] = []
    for word in shlex.split(line, comments=True):
        if word in ("&&", "|", "||", "&"):
            yield command
            command = []
        else:
            command.append(word)
    yield command
