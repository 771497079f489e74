"""Every dependency of pyproject.toml is pinned in constraints.txt, inside its range.

The pins' own dependencies are checked against what is installed here, so that a range raised
without ``make lock`` fails before anybody installs something untested.
"""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
WAY_OUT = "run `make lock`."
# Belongs to the environment, and is what reads the pins: `pip freeze` leaves it out.
UNPINNED = frozenset({"pip"})


def declared(pyproject: str) -> list[Requirement]:
    """Give the requirements of the project and of all its extras."""
    project = tomllib.loads(pyproject)["project"]
    texts = list(project.get("dependencies", []))
    for extra in project.get("optional-dependencies", {}).values():
        texts += extra
    return [Requirement(text) for text in texts]


def pins(constraints: str) -> tuple[dict[str, Version], list[str]]:
    """Give the version pinned for each name, and a sentence for each line that is no pin."""
    found: dict[str, Version] = {}
    wrong: list[str] = []
    for line in constraints.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, version = line.partition("==")
        if not equals or " " in line:
            # An address or an option would tie every installation to one machine's registry.
            wrong.append(f"constraints.txt holds {line!r}, which is not name==version: {WAY_OUT}")
            continue
        found[canonicalize_name(name)] = Version(version)
    return found, wrong


def problems(requirements: list[Requirement], pinned: dict[str, Version]) -> list[str]:
    """Give a sentence for each requirement, direct or of a pin, that the pins do not satisfy."""
    found = []
    waiting = [(requirement, "pyproject.toml") for requirement in requirements]
    seen = set()
    while waiting:
        requirement, origin = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in UNPINNED:
            continue
        version = pinned.get(name)
        if version is None:
            found.append(f"{name} ({origin}) is not pinned in constraints.txt: {WAY_OUT}")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{name}=={version} is pinned, {origin} wants {requirement}: {WAY_OUT}")
        wanted = (name, frozenset(requirement.extras))
        if wanted not in seen:
            seen.add(wanted)
            waiting += [(inner, name) for inner in _needs(name, requirement.extras)]
    return sorted(set(found))


def _needs(name: str, extras: set[str]) -> list[Requirement]:
    """Give what an installed distribution needs on this machine."""
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    return [
        requirement
        for requirement in map(Requirement, texts)
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]


def main() -> int:
    """Print the problems; the exit code is 1 if there are any."""
    requirements = declared((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned, wrong = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    found = wrong + problems(requirements, pinned)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
