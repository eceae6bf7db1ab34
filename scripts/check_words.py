"""Find retired words in all tracked text: ``check_words.py [FILE ...]``; exit status 1 if there are any."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORDS_FILE = ROOT / ".ci" / "retired_words.txt"
# Third-party texts, and stored results.
UNCHECKED = (".ci/retired_words.txt", "LICENSE", "benchmarks/results/*", "requirements/lock.txt")


@dataclass(frozen=True)
class RetiredWord:
    """A pattern, what to write instead, and the paths where it may stay."""

    pattern: str
    instead: str
    allowed: tuple[str, ...]

    def search(self, line: str) -> re.Match[str] | None:
        """Find the word alone, in snake_case, or at a hump of CamelCase."""
        hump = re.sub(r"[a-z]", lambda first: first[0].upper(), self.pattern, count=1)
        pattern = rf"(?<![A-Za-z])(?i:{self.pattern})(?![a-z])|(?<=[a-z]){hump}(?![a-z])"
        return re.search(pattern, line)

    def is_allowed(self, path: str) -> bool:
        """Return whether the word may stay in this file."""
        return any(fnmatch(path, allowed) for allowed in self.allowed)


def retired_words(file: Path = WORDS_FILE) -> list[RetiredWord]:
    """Read the list of words."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    entries = [line.split(" => ", 1) for line in lines if " => " in line and not line.startswith("#")]
    allowed = [line.split(maxsplit=2)[1:] for line in lines if line.startswith("allow ")]
    return [
        RetiredWord(pattern, instead, tuple(path for path, of in allowed if of == pattern))
        for pattern, instead in entries
    ]


def findings(paths: Sequence[str], words: Sequence[RetiredWord], root: Path = ROOT) -> Iterator[str]:
    """Yield one line for every retired word in the names and texts of files."""
    for path in paths:
        texts = [(0, path), *enumerate(_lines(root / path), start=1)]
        for word in (word for word in words if not word.is_allowed(path)):
            for number, line in texts:
                if found := word.search(line):
                    yield f"{path}:{number}: '{found[0]}' is retired; write: {word.instead}"


def checked_files() -> list[str]:
    """List the project's own tracked and new files."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if not any(fnmatch(name, pattern) for pattern in UNCHECKED)]


def _lines(path: Path) -> list[str]:
    """Read the lines of a text file; return none of a binary or deleted one."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def main(arguments: Sequence[str]) -> int:
    known = checked_files()
    paths = [path for path in arguments if path in known] if arguments else known
    found = list(findings(paths, retired_words()))
    print("\n".join(found) if found else f"no retired word in {len(paths)} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
