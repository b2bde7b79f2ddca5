"""What is kept of a part to look at: its picture, its poses, and its model for the viewer."""

import gzip

from flask import Blueprint, Response, request, send_file
from flask.typing import ResponseReturnValue

from basis.errors import NotFound
from designhub import access
from designhub.auth import Caller
from designhub.hub import this_hub
from designhub.web.session import viewer
from designs import lying, queries
from designs.models import MeshRow, Visibility

bp = Blueprint("part_files", __name__)

KEEP_S = 3_600
"""How long anybody may keep a public file; a design may become private meanwhile."""


@bp.get("/parts/<int:part_id>.png")
def picture(part_id: int) -> ResponseReturnValue:
    """The picture of a part; of a private design for its owner, and for who has to make it."""
    mesh, public = _seen(part_id)
    if mesh.picture_sha256 is None:
        raise NotFound(f"there is no picture of part {part_id}")
    return _png(mesh.picture_sha256, public=public)


@bp.get("/parts/<int:part_id>/poses.png")
def poses(part_id: int) -> ResponseReturnValue:
    """How a part lies in each pose, tiles under each other; drawn when somebody first asks."""
    mesh, public = _seen(part_id)
    sha256, hub = mesh.sheet_sha256, this_hub()
    if sha256 is None:
        sha256 = lying.keep_sheet(
            mesh.id,
            database=hub.database,
            blobs=hub.blobs,
            scratch=hub.settings.scratch_dir,
        )
    if not sha256:
        raise NotFound(f"there is no picture of how part {part_id} can lie")
    return _png(sha256, public=public)


@bp.get("/parts/<int:part_id>.glb")
def model(part_id: int) -> ResponseReturnValue:
    """The model of a part, as binary glTF; for whom the picture is."""
    mesh, public = _seen(part_id)
    if not mesh.glb_sha256:
        why = "cannot be made" if mesh.glb_sha256 == "" else "is not made yet: look again later"
        raise NotFound(f"the model of part {part_id} {why}")
    path = this_hub().blobs.path(mesh.glb_sha256)
    if request.accept_encodings.quality("gzip") > 0:
        etag = f"{mesh.glb_sha256}-gzip"
        answer = send_file(path, mimetype="model/gltf-binary", conditional=True, etag=etag)
        answer.content_encoding = "gzip"
    else:  # no larger than designs.glb.MOST_BYTES: looked at before it was kept
        plain = gzip.decompress(path.read_bytes())
        answer = Response(plain, mimetype="model/gltf-binary")
        answer.set_etag(mesh.glb_sha256)
        answer.make_conditional(request)
    answer.vary.add("Accept-Encoding")
    return _kept(answer, public=public)


def _seen(part_id: int) -> tuple[MeshRow, bool]:
    """The mesh of a part that the viewer may see, and whether everybody may. A public one asks for
    no session, so that caches may keep what they get. Raises NotFound."""
    with this_hub().database.reading() as session:
        part, _, design = queries.part(session, part_id)
        public = design.visibility is Visibility.PUBLIC
        caller: Caller | None = None if public else viewer()
        if not access.may_look(session, caller, part_id, design):
            raise NotFound(f"there is no part {part_id}")
        return part.mesh, public


def _png(sha256: str, *, public: bool) -> Response:
    path = this_hub().blobs.path(sha256)
    answer = send_file(path, mimetype="image/png", conditional=True, etag=sha256)
    return _kept(answer, public=public)


def _kept(answer: Response, *, public: bool) -> Response:
    keep = f"public, max-age={KEEP_S}" if public else "private, no-cache"
    answer.headers["Cache-Control"] = keep
    return answer
