"""Numbers that a business is known by, and whether their check digits are right.

A wrong one is a warning, never a refusal: legal codes of early pilots fail the check, as 91350203M0001FUE2P of Xiamen.
"""

from typing import Final

_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_PILOT_PLACE: Final = 8
_LICENCE_DIGITS: Final = 14


def flags(uscc: str | None, licence: str | None) -> list[str]:
    """Return what is doubtful: uscc_shape, uscc_pilot, uscc_check_digit, licence_shape, licence_check_digit."""
    found = (_uscc_flag(uscc) if uscc else None, _licence_flag(licence) if licence else None)
    return [flag for flag in found if flag is not None]


def uscc_check(first_17: str) -> str:
    """Return the check character of a unified social credit code (GB 32100-2015): sum of weights modulo 31.

    Raises ValueError for a character that such codes do not have (I, O, S, V, Z and anything but digits and capitals).
    """
    total = sum(
        weight * _USCC_ALPHABET.index(character) for weight, character in zip(_USCC_WEIGHTS, first_17, strict=True)
    )
    return _USCC_ALPHABET[-total % 31]


def mod_11_10_check(digits: str) -> str:
    """Return the check digit of a string of digits by ISO 7064 MOD 11,10, as food licences have it (GB/T 17710)."""
    product = 10
    for digit in digits:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def _uscc_flag(uscc: str) -> str | None:
    if len(uscc) != len(_USCC_WEIGHTS) + 1 or set(uscc) - set(_USCC_ALPHABET):
        return "uscc_shape"
    if uscc_check(uscc[:-1]) == uscc[-1]:
        return None
    return "uscc_pilot" if uscc[_PILOT_PLACE] == "M" else "uscc_check_digit"


def _licence_flag(licence: str) -> str | None:
    if not licence.startswith("JY"):
        return None  # A licence of another kind: its form is not known.
    digits = licence[2:]
    if len(digits) != _LICENCE_DIGITS or not (digits.isascii() and digits.isdigit()):
        return "licence_shape"
    return None if mod_11_10_check(digits[:-1]) == digits[-1] else "licence_check_digit"
