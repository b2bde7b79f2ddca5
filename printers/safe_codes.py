"""Start and end codes of our own: for a machine whose own does not pass the checks.

They do what every printer understands: heat, home, wipe a line along the left edge; lift, cool.
Levelling is left to the machine's own habits, and a person adapts them.
"""

LIFT = "G1 Z{min(max_layer_z+5, max_print_height)} F600 ; lift off the part\n"
COOL = "M104 S0\nM140 S0\nM107\n"


def safe_start(left_mm: int, front_mm: int, right_mm: int, back_mm: int) -> str:
    """Heat, home, and purge along the left edge of this bed, inside of it."""
    x, near = left_mm + min(2, (right_mm - left_mm) // 20), front_mm + (back_mm - front_mm) // 10
    far = near + min(100, (back_mm - front_mm) * 8 // 10)
    return (
        "G90\nM83\nM140 S[first_layer_bed_temperature]\nM104 S150 ; warm, not dripping\n"
        "G28 ; home\nG1 Z10 F600\nM190 S[first_layer_bed_temperature]\n"
        f"M109 S[first_layer_temperature]\nG1 X{x} Y{near} F3000\nG1 Z0.3 F600\nG92 E0\n"
        f"G1 Y{far} E10 F1200 ; purge along the left edge\nG1 X{x + 0.4:g} F3000\n"
        f"G1 Y{near} E8 F1200\nG92 E0\n"
    )


def safe_end() -> str:
    """Lift off the part, cool, and let go."""
    return LIFT + COOL + "M84\n"
