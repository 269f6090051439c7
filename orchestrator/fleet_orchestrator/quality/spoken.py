"""Numbers as they are said on the phone: patterns for digits, days and years. Pure."""

from __future__ import annotations

DIGITS = ("(?:zero|oh|o)", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = (
    "", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
    "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth",
    "seventeenth", "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip
GAP = r"[\W_]+"
MILLENNIUM = 2000


def render_digits(digits: str) -> str:
    """Return a pattern for digits said one by one: five, five, five, oh, one."""
    return GAP.join(DIGITS[int(digit)] for digit in digits)


def render_day(day: int) -> str:
    """Return a pattern for a day of the month: third, twenty-first."""
    if day < len(ORDINALS):
        return ORDINALS[day]
    tens, ones = divmod(day, 10)
    return "thirtieth" if ones == 0 else f"{TENS[tens]}{GAP}{ORDINALS[ones]}"


def render_year(year: int) -> str:
    """Return a pattern for a year from 1910 on: nineteen fifty-eight, two thousand and three."""
    if year >= MILLENNIUM:
        rest = year - MILLENNIUM
        return f"two{GAP}thousand" + (f"{GAP}(?:and{GAP})?{_below_hundred(rest)}" if rest else "")
    return f"nineteen{GAP}{_below_hundred(year - 1900)}"


def _below_hundred(number: int) -> str:
    if number < 10:
        return DIGITS[number]
    if number < 20:
        return TEENS[number - 10]
    tens, ones = divmod(number, 10)
    return TENS[tens] + (f"{GAP}{DIGITS[ones]}" if ones else "")
