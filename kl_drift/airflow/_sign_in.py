"""Who asks, from where: frames, addresses below a base path, and the way to Airflow's sign-in.

Knows requests. Has never heard of reports or checks.
"""

from urllib.parse import quote

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from kl_drift.airflow._reports import PREFIX

_INVALID = "Invalid JWT token"
"""What Airflow says of a token that is none: it is 403, as for those who may not see a page."""

_RELOAD = (
    "<!doctype html><meta charset='utf-8'><title>Sign in</title><p>You are signed out of Airflow. "
    "Reload the page to sign in.</p><script>parent.location.reload()</script>"
)


def base(request: Request) -> str:
    """Return the path below which Airflow is: ``""``, or ``/airflow``."""
    root: str = request.scope.get("root_path", "")
    return root.removesuffix(f"/{PREFIX}").rstrip("/")


def framed(request: Request) -> bool:
    """Say whether a page is asked for inside a frame of Airflow's own."""
    return request.headers.get("sec-fetch-dest") in ("iframe", "frame")


def answer(request: Request, error: HTTPException) -> Response:
    """Lead a person who is not signed in there and back; refuse programs and whoever may not."""
    unknown = error.status_code == 401 or (error.status_code, error.detail) == (403, _INVALID)
    if unknown and request.method == "GET":
        if request.headers.get("sec-fetch-dest") == "document":
            back = quote(str(request.url), safe="")
            return RedirectResponse(f"{base(request)}/api/v2/auth/login?next={back}")
        if framed(request):
            return HTMLResponse(_RELOAD, status_code=error.status_code)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def refuse_foreign(request: Request) -> None:
    """Refuse what another site sent in the name of a user: Airflow itself looks at no such thing.

    A form of another site cannot set a header of its own, and browsers say where from they ask.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "").rpartition("://")[2]
    own = site == "same-origin" if site else origin == request.headers.get("host")
    if not own or request.headers.get("x-kl-drift") != "1":
        raise HTTPException(403, "This must be sent from a page of this Airflow.")
