"""Photos of beds at the end of runs: an agent brings one, maker and workshop look at it."""

from uuid import UUID

from flask import Blueprint, Response, g, request, send_file
from flask.typing import ResponseReturnValue

from basis import clock, pictures
from basis.errors import Invalid
from designhub import access
from designhub.api import schema
from designhub.api.openapi import describes
from designhub.auth import Caller, Scope, agent_only, needs
from designhub.hub import this_hub
from router import photos

bp = Blueprint("photos_api", __name__, url_prefix="/api/v1")


@bp.post("/runs/<uuid:run_id>/photo")
@describes("The bed at the end of a run", body="image/jpeg", gives=schema.PhotoKept, who="agent")
@agent_only
def bring(run_id: UUID) -> ResponseReturnValue:
    """A JPEG, PNG or WebP, until a day after the run's end. It is drawn anew: only its pixels are
    kept. The first photo of a run stays; another changes nothing."""
    hub, agent_id = this_hub(), g.agent.id
    with hub.database.reading() as session:
        known = photos.wanted(session, run_id=run_id, agent_id=agent_id, now=clock.now())
    if known is None:
        request.max_content_length = pictures.MOST_BYTES
        content = request.get_data(cache=False)
        if not content:
            raise Invalid("send the picture as the body of the request")
        jpeg = pictures.redrawn(content, scratch=hub.settings.scratch_dir)
        blob = hub.blobs.put([jpeg], most_bytes=pictures.KEPT_BYTES)
        with hub.database.writing() as session:
            known = photos.keep(
                session,
                run_id=run_id,
                agent_id=agent_id,
                sha256=blob.sha256,
                now=clock.now(),
            )
    return schema.PhotoKept(run=run_id, sha256=known).to_json()


@bp.get("/jobs/<uuid:job_id>/runs/<uuid:run_id>/photo")
@describes("The photo of a run", media="image/jpeg", who="account")
@needs(Scope.READ)
def show(job_id: UUID, run_id: UUID) -> ResponseReturnValue:
    """For the job's maker and its workshop, and nobody else."""
    return photo(g.caller, job_id, run_id)


def photo(caller: Caller, job_id: UUID, run_id: UUID) -> Response:
    """The photo of a run for who may see the job; the page shows the same."""
    hub = this_hub()
    with hub.database.reading() as session:
        access.job_roles(session, caller, job_id)
        sha256 = photos.of_job(session, job_id=job_id, run_id=run_id)
    answer = send_file(
        hub.blobs.path(sha256), mimetype="image/jpeg", conditional=True, etag=sha256, max_age=0
    )
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
