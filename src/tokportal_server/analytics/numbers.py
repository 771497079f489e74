"""Numbers as people read them."""

from __future__ import annotations

from typing import Final

# From where on a unit is used (what rounds up to it too), its size, its letter.
_UNITS: Final = (
    (999_500_000, 1_000_000_000, "B"),
    (999_500, 1_000_000, "M"),
    (10_000, 1_000, "K"),
)
NOTHING: Final = "–"  # noqa: RUF001 - what stands where there is no number


def full(value: int | None) -> str:
    """Write every digit: ``1,234,567``."""
    return NOTHING if value is None else f"{value:,}"


def short(value: float | None) -> str:
    """Write three digits and a unit: ``1.23M``; below ten thousand every digit."""
    if value is None:
        return NOTHING
    for least, size, unit in _UNITS:
        if abs(value) >= least:
            scaled = value / size
            digits = max(0, 3 - len(str(int(abs(scaled)))))
            number = f"{scaled:.{digits}f}"
            return (number.rstrip("0").rstrip(".") if "." in number else number) + unit
    return f"{value:,.0f}"


def signed(value: int | None) -> str:
    """Write a change, with its sign."""
    if value is None:
        return NOTHING
    return f"+{short(value)}" if value > 0 else short(value).replace("-", "\u2212")


def percent(value: float | None) -> str:
    """Write a share of a hundred with up to two decimals."""
    if value is None:
        return NOTHING
    return f"{value:.2f}".rstrip("0").rstrip(".") + " %"
