"""What scripts say to people, in every language. A script holds the English sentence; a page in
another language asks for the others once."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from basis.errors import NotFound
from designhub.language import LANGUAGES, lazy, speaking

bp = Blueprint("script_words", __name__)

KEEP_S = 3_600

WORDS = (
    # Every page.
    lazy("Copied"),
    lazy("Select the text and copy it"),
    lazy("Yes"),
    lazy("No, go back"),
    lazy("Asking the browser where you are …"),
    lazy("Found: %(place)s"),
    lazy("The browser may not tell where you are. Allow it in its settings, or type a town."),
    lazy("The browser cannot tell where you are. Type a town instead."),
    lazy("The hub did not answer. Try again."),
    lazy("The 3D view could not be loaded. Try again later."),
    lazy("The map could not be loaded. Everything on it also stands in the list."),
    # The viewer.
    lazy("Part in 3D"),
    lazy(
        "Turn with the arrow keys, come nearer with plus and minus. R: as at first, W: wire,"
        " M: measure."
    ),
    lazy("Measure"),
    lazy("As at first"),
    lazy("Wire"),
    lazy("Picture"),
    lazy("Loading the model …"),
    lazy("This browser shows no 3D graphics (WebGL). The picture shows the part."),
    lazy("The model could not be loaded. It may still be made: try again in a minute."),
    lazy("Shown with %(shown)s of %(all)s triangles; the part is made from all of them."),
    lazy("Squares of %(mm)s mm"),
    lazy("Press on two points of the part."),
    lazy("Press on the second point."),
    lazy("%(length)s mm between the two points (x %(x)s, y %(y)s, z %(z)s)"),
    lazy("That is beside the part."),
    # The map.
    lazy("Map"),
    lazy("Nearer"),
    lazy("Farther"),
    lazy("Show all"),
    lazy(
        "Move with the arrow keys, come nearer with plus and minus, choose the middle with Enter."
    ),
    lazy("Move with the arrow keys, come nearer with plus and minus."),
    lazy("Chosen: %(place)s"),
    lazy("You"),
)


@bp.get("/static/words/<code>.json")
def words(code: str) -> ResponseReturnValue:
    """Each sentence of the scripts with what it is in one language."""
    if code not in LANGUAGES:
        raise NotFound(f"the pages do not speak {code[:20]!r}; they speak {', '.join(LANGUAGES)}")
    with speaking(code):
        answer = jsonify({each.message: str(each) for each in WORDS})
    answer.headers["Cache-Control"] = f"public, max-age={KEEP_S}"
    return answer
