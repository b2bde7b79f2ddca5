"""Whole numbers for everything that enters a price or a balance.

Scales, fixed for ever: length µm or mm, mass mg, time s, energy mWh, transport kg·m, CO2e mg, and
money in the minor unit of its currency. A float never enters a balance.
"""

from collections.abc import Sequence


def ceil_div(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded up, in whole numbers.

    Raises ValueError when the denominator is not positive.
    """
    if denominator <= 0:
        raise ValueError(f"denominator must be positive, got {denominator}")
    return -(-numerator // denominator)


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` in proportion to `weights`; the shares sum to `total` exactly.

    Largest remainder: each gets the floor of its share, the steps left over go to the largest
    remainders, ties to the earlier weight. All weights 0 gives all zeros: the caller decides who
    keeps what nobody earned.

    Raises ValueError for a negative total or weight.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("total and weights must not be negative")
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [divmod(total * weight, whole) for weight in weights]
    shares = [quotient for quotient, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda i: (-parts[i][1], i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares
