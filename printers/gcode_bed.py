"""Places on a printer's bed, a convex polygon. Corners are µm, points mm."""

Corners = tuple[tuple[int, int], ...]


def is_convex(corners: Corners) -> bool:
    """Every corner lies on the inner side of every edge, and they are not all on one line."""
    if not 3 <= len(corners) <= 256:
        return False
    flat = len({x for x, _ in corners}) == 1 or len({y for _, y in corners}) == 1
    return not flat and all(covers(corners, x / 1000, y / 1000) for x, y in corners)


def covers(corners: Corners, x: float, y: float) -> bool:
    """Does the polygon hold the point, its edge included?"""
    x_um, y_um = x * 1000, y * 1000
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    sides = [(bx - ax) * (y_um - ay) - (by - ay) * (x_um - ax) for (ax, ay), (bx, by) in edges]
    slack = 1e3  # µm × µm: the rounding of a product of two lengths, far below one µm of place
    return all(s >= -slack for s in sides) or all(s <= slack for s in sides)


def inner_box(corners: Corners) -> tuple[float, float, float, float]:
    """A box (mm) that the bed surely covers, so that most points need four comparisons only."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    middle_x, middle_y = (min(xs) + max(xs)) / 2000, (min(ys) + max(ys)) / 2000
    half_x, half_y = (max(xs) - min(xs)) / 2000, (max(ys) - min(ys)) / 2000
    for part in range(20, 0, -1):
        dx, dy = half_x * part / 20, half_y * part / 20
        box = (middle_x - dx, middle_y - dy, middle_x + dx, middle_y + dy)
        if all(covers(corners, box[i], box[j]) for i in (0, 2) for j in (1, 3)):
            return box
    return (1.0, 1.0, -1.0, -1.0)  # holds nothing: every point is then tested exactly
