"""What the demo says: lines for people, or one JSON object a line for scripts."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Protocol

from rich.console import Console


class Reporter(Protocol):
    """Tells what happens, as it happens."""

    def ready(self, facts: dict[str, Any]) -> None:
        """Say that the server is up, and how to reach it."""
        ...

    def step(self, name: str, outcome: str, **facts: Any) -> None:
        """Say that a step of the walk succeeded."""
        ...

    def failed(self, name: str, error: str) -> None:
        """Say that a step failed."""
        ...

    def finished(self, *, ok: bool, **facts: Any) -> None:
        """Say how the walk ended."""
        ...


class _Timed:
    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 2)


class JsonReporter(_Timed):
    """One JSON object a line on standard output."""

    def ready(self, facts: dict[str, Any]) -> None:
        """Say that the server is up, and how to reach it."""
        self._say("ready", facts)

    def step(self, name: str, outcome: str, **facts: Any) -> None:
        """Say that a step of the walk succeeded."""
        self._say("step", {"name": name, "ok": True, "outcome": outcome, **facts})

    def failed(self, name: str, error: str) -> None:
        """Say that a step failed."""
        self._say("step", {"name": name, "ok": False, "error": error})

    def finished(self, *, ok: bool, **facts: Any) -> None:
        """Say how the walk ended."""
        self._say("walk_finished", {"ok": ok, **facts})

    def _say(self, event: str, facts: dict[str, Any]) -> None:
        line = {"event": event, "seconds": self.seconds, **facts}
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()


class ConsoleReporter(_Timed):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(highlight=False, soft_wrap=True)
        self._facts: dict[str, Any] = {}

    def ready(self, facts: dict[str, Any]) -> None:
        """Say that the server is up, and how to reach it."""
        self._facts = facts
        self._console.print(f"[bold]The server is up[/bold] at {facts['base_url']}; one order:")

    def step(self, name: str, outcome: str, **_: Any) -> None:
        """Say that a step of the walk succeeded."""
        self._console.print(
            f"[dim]{self.seconds:6.2f}s[/dim] [green]✓[/green] {name:<28} {outcome}"
        )

    def failed(self, name: str, error: str) -> None:
        """Say that a step failed."""
        self._console.print(f"[dim]{self.seconds:6.2f}s[/dim] [red]✗ {name}[/red] {error}")

    def finished(self, *, ok: bool, **facts: Any) -> None:
        """Say how the walk ended, and where everything is."""
        events = facts.get("events_verified", 0)
        word = "[green]complete[/green]" if ok else "[red]failed[/red]"
        self._console.print(
            f"\nThe walk is {word} after {self.seconds:.1f} s; {events} webhooks received, every"
            " signature checked with the client's own function.\n"
        )
        self._console.print(f"  Base URL   {self._facts['base_url']}")
        self._console.print(f"  API key    {self._facts['api_key']}")
        self._console.print(f"  Console    {self._facts['console_url']}")
        for who, login in self._facts["logins"].items():
            self._console.print(f"  {who:<10} {login['email']}  {login['password']}")
        self._console.print(f"\n  {self._facts['console_note']}")
