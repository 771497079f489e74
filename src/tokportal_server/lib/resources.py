"""Files that travel with the program and are read at run time."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent

# A wheel carries the folder inside the package (pyproject.toml, force-include); in a checkout,
# which is also what an editable install runs from, it lies at the root.
_CONTRACT_FOLDERS = (_PACKAGE / "_contract", _PACKAGE.parent.parent / "contract")


def contract_file(name: str) -> Path:
    """Give the path of ``contract/<name>``; ``FileNotFoundError`` says where it was looked for."""
    for folder in _CONTRACT_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    looked = " nor ".join(str(folder) for folder in _CONTRACT_FOLDERS)
    raise FileNotFoundError(f"The contract's {name} is neither in {looked}: reinstall the package.")
