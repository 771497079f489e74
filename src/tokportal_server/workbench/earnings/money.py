"""Amounts of money: whole minor units of a currency, read from and written for people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

# ISO 4217: currencies whose minor unit is not the hundredth.
_WHOLE: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"}
    | {"VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTHS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
# The largest amount that a row holds.
MOST: Final = 2_000_000_000


def decimal_of(amount: int, currency: str) -> str:
    """Write minor units as a plain decimal, such as ``-12.50``."""
    digits = _digits(currency)
    return f"{Decimal(amount).scaleb(-digits):.{digits}f}"


def money(amount: int, currency: str) -> str:
    """Write an amount for people, such as ``12.50 USD``."""
    return f"{decimal_of(amount, currency)} {currency}"


def totals_of(totals: Mapping[str, int]) -> str:
    """Write amounts of several currencies for people."""
    return ", ".join(money(amount, currency) for currency, amount in sorted(totals.items()))


def minor_units(written: str, currency: str) -> int:
    """Read what a person wrote, ``12.5`` or ``12,50``, as minor units.

    Raises:
        ValueError: it is no amount of this currency; the message says what would be.
    """
    digits = _digits(currency)
    example = f"12.{'5'.ljust(digits, '0')}" if digits else "12"
    wrong = f"must be an amount in {currency}, such as {example}"
    try:
        units = Decimal(written.strip().replace(",", ".")).scaleb(digits)
    except InvalidOperation:
        raise ValueError(wrong) from None
    if not units.is_finite() or units != units.to_integral_value() or abs(units) > MOST:
        raise ValueError(wrong)
    return int(units)


def _digits(currency: str) -> int:
    if currency in _WHOLE:
        return 0
    return 3 if currency in _THOUSANDTHS else 2
