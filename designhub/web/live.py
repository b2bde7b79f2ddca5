"""Events for open pages: "look again", as server-sent events."""

from uuid import UUID

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue

from designhub import access
from designhub.hub import this_hub
from designhub.live import Topic
from designhub.web.session import signed_in, viewer

bp = Blueprint("live", __name__)

AGAIN_S = 30
"""When a page that found no free place may ask for one again; meanwhile it looks by itself."""


@bp.get("/jobs/<uuid:job_id>/events")
@signed_in
def job(job_id: UUID) -> ResponseReturnValue:
    """For whoever may see the job."""
    with this_hub().database.reading() as session:
        access.job_roles(session, g.caller, job_id)
    return stream(Topic("job", job_id))


@bp.get("/orders/<uuid:order_id>/events")
@signed_in
def order(order_id: UUID) -> ResponseReturnValue:
    """For the maker."""
    with this_hub().database.reading() as session:
        access.own_order(session, g.caller, order_id)
    return stream(Topic("order", order_id))


def later(again_s: int) -> Response:
    """No stream now: the page looks by itself, and asks again after so long."""
    return Response("", 503, {"Retry-After": str(again_s)}, mimetype="text/plain")


def stream(topic: Topic) -> ResponseReturnValue:
    """The changes of a topic that the viewer may see, checked by the caller; 503 when all places
    are taken."""
    who = viewer()
    found = this_hub().live.watch(
        topic,
        viewer=str(who.id) if who else f"at {request.remote_addr}",
        seen=request.headers.get("Last-Event-ID", ""),
    )
    if found is None:
        return later(AGAIN_S)
    answer = Response(found, mimetype="text/event-stream")
    # A proxy that collects before it passes on would keep the news to itself.
    answer.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    answer.call_on_close(found.close)
    return answer
