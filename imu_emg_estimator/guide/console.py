"""Talk to the user at a terminal: print, ask, and show progress in place."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from imu_emg_estimator.errors import InputError

QUIT = "q"
WIDTH = 78  # characters
BAR_WIDTH = 30  # characters
LINE_PERIOD_S = 5.0  # between two lines where there is no terminal
REFRESH_PERIOD_S = 0.2  # between two updates on a terminal


class Quit(Exception):
    """The user wants to quit."""


class Console:
    """Prints and asks; Enter gives the default answer to every question.

    Args:
        unattended: nothing is read, and every question gets its default answer.
    """

    def __init__(self, unattended: bool = False, source: TextIO | None = None, sink: TextIO | None = None) -> None:
        self.unattended = unattended
        self._source, self._sink = source or sys.stdin, sink or sys.stdout
        self._is_terminal = self._sink.isatty()

    def say(self, text: str = "") -> None:
        """Print a paragraph."""
        self._print(textwrap.fill(text, WIDTH) if text else "")

    def line(self, text: str) -> None:
        """Print a line without wrapping it."""
        self._print(text)

    def step(self, number: int, total: int, title: str) -> None:
        """Print the heading of a step."""
        self._print(f"\n── Step {number} of {total}: {title} {'─' * max(0, WIDTH - 18 - len(title))}\n")

    def bullet(self, text: str, mark: str = "•") -> None:
        """Print one entry of a list."""
        lines = textwrap.wrap(text, WIDTH - 4)
        self._print(
            "\n".join([f"  {mark} {line}" if index == 0 else f"    {line}" for index, line in enumerate(lines)])
        )

    def ask(self, choices: Sequence[tuple[str, str]], unattended: str | None = None) -> str:
        """Ask for one of some letters, or 'q'; return the letter.

        Args:
            choices: letter and what it does; Enter chooses the first one.
            unattended: the answer of an unattended console; None = the first one.

        Raises:
            Quit: on 'q', or at the end of the input.
        """
        (default, does), *others = choices
        offered = [f"[Enter] {does}", *(f"[{letter}] {what}" for letter, what in others), f"[{QUIT}] quit"]
        prompt = f"\n  {'   '.join(offered)}  > "
        if self.unattended:
            answer = default if unattended is None else unattended
            self._print(f"{prompt}{dict(choices)[answer]} (--yes)")
            return answer
        known = {letter for letter, _ in choices} | {QUIT}
        while (answer := self._read(prompt).lower()) not in known | {""}:
            self._print(f"  '{answer[:20]}' is not one of the choices; type a letter and Enter, or Enter alone.")
        if answer == QUIT:
            raise Quit
        return answer or default

    def ask_text(self, question: str, default: str, check: Callable[[str], object]) -> str:
        """Ask for text; return the answer, or the default for Enter alone.

        Args:
            check: raises InputError for text that cannot be used.
        """
        if self.unattended:
            check(default)
            return default
        while True:
            answer = self._read(f"{question} [{default}]: ")
            if answer.lower() == QUIT:
                raise Quit
            try:
                check(answer or default)
                return answer or default
            except InputError as error:
                self._print(f"  {error}")

    def panel(self) -> Panel:
        """Return a panel, whose lines change in place."""
        return Panel(self._sink, self._is_terminal)

    def _read(self, prompt: str) -> str:
        self._print(prompt, end="")
        line = self._source.readline()
        if not line:  # the end of the input
            self._print()
            raise Quit
        return line.strip()

    def _print(self, text: str = "", end: str = "\n") -> None:
        print(text, end=end, file=self._sink, flush=True)


class Panel:
    """Lines that are overwritten in place; without a terminal, the first one is printed every few seconds."""

    def __init__(self, sink: TextIO, is_terminal: bool) -> None:
        self._sink, self._is_terminal = sink, is_terminal
        self._shown, self._due = 0, 0.0

    def show(self, lines: Sequence[str], last: bool = False) -> None:
        """Show the newest state; ``last``: it will not change again."""
        now = time.monotonic()
        if now < self._due and not last:
            return
        self._due = now + (REFRESH_PERIOD_S if self._is_terminal else LINE_PERIOD_S)
        if not self._is_terminal:
            print("\n".join(lines if last else lines[:1]), file=self._sink, flush=True)
            return
        back = f"\033[{self._shown}A" if self._shown else ""
        print(back + "\n".join(f"\033[2K{line}" for line in lines), file=self._sink, flush=True)
        self._shown = len(lines)


def bar(fraction: float, width: int = BAR_WIDTH) -> str:
    """Return a bar that is filled to a fraction, 0 to 1."""
    filled = round(width * min(max(fraction, 0.0), 1.0))
    return "█" * filled + "░" * (width - filled)
