"""The pages of kl-drift inside Airflow's API server, behind its access rules.

Knows HTTP and who may see what. A request names a task instance or a check, never a path. Has never
heard of how a page is drawn.
"""

from functools import partial
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from kl_drift.airflow import _access, _checks, _report_page, _sign_in
from kl_drift.errors import HistoryError, UsageError
from kl_drift.history.feedback import Verb
from kl_drift.render import checks as pages

User = Annotated[Any, Depends(get_user)]

app = FastAPI(title="kl-drift", docs_url=None, redoc_url=None, openapi_url=None)


@app.exception_handler(HTTPException)
def refused(request: Request, error: HTTPException) -> Response:
    """Send whoever is not signed in there, and say no to the others."""
    return _sign_in.answer(request, error)


@app.get(
    "/reports/{dag_id}/{run_id}/{task_id}/{map_index}",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.XCOM))],
)
def report_page(request: Request, map_index: str, try_number: int | None = None) -> HTMLResponse:
    """Show the report that a try of a task instance saved, or say why there is none."""
    # Airflow leaves `{MAP_INDEX}` as it is in the links of tasks that are not mapped.
    index = int(map_index) if map_index.isascii() and map_index.isdigit() else -1
    place: dict[str, Any] = {**request.path_params, "map_index": index}
    return _report_page.answer(
        place, try_number, base=_sign_in.base(request), framed=_sign_in.framed(request)
    )


@app.get("/checks")
def checks_page(request: Request, user: User, dag_id: str = "") -> HTMLResponse:
    """Show how every check stands, or those of one DAG: the red ones first."""
    may_read = partial(_access.may_read, user)
    try:
        lines = _checks.lines(_checks.opened(), may_read, dag_id=dag_id)
    except (HistoryError, UsageError) as error:
        return _report_page.said(str(error), 503)
    title = f"Drift checks of {dag_id}" if dag_id else "Drift checks"
    return _page(pages.render_checks(lines, title=title, home=request.scope["root_path"]))


@app.get("/check")
def check_page(request: Request, user: User, name: str, column: str = "") -> HTMLResponse:
    """Show the columns of a check over its runs, and KL of one of them over time."""
    try:
        history = _checks.opened()
        runs = _checks.runs_of(history, name)
        dags = _checks.dags_of(runs)
        if not all(_access.may_read(user, dag) for dag in dags):
            raise HTTPException(403, "Forbidden")
        shown = _checks.page_of(
            history, runs, column=column, base=_sign_in.base(request),
            may_acknowledge=all(_access.may_acknowledge(user, dag) for dag in dags),
        )  # fmt: skip
    except LookupError as error:
        return _report_page.said(str(error), 404)
    except (HistoryError, UsageError) as error:
        return _report_page.said(str(error), 503)
    return _page(pages.render_check(shown, home=request.scope["root_path"]))


class Said(BaseModel):
    """What somebody says of a check: an incident, a new normal, a miss, or quiet until a day."""

    check: str
    verb: Verb
    profile: str = ""
    column: str = ""
    until: str = ""
    note: str = Field(min_length=1)


@app.post("/feedback", dependencies=[Depends(_sign_in.refuse_foreign)])
def feedback(user: User, said: Said) -> dict[str, str]:
    """Record what is said of a check, for those who may edit the runs of its DAG."""
    try:
        history = _checks.opened()
        dags = _checks.dags_of(_checks.runs_of(history, said.check))
        if not all(_access.may_acknowledge(user, dag) for dag in dags):
            raise HTTPException(403, "You may not edit the runs of this check's DAG.")
        _checks.record(history, said.model_dump(), by=user.get_name())
    except (LookupError, UsageError) as error:
        raise HTTPException(404, str(error)) from error
    except HistoryError as error:
        raise HTTPException(503, str(error)) from error
    return {"verb": said.verb}


def _page(html: str) -> HTMLResponse:
    return HTMLResponse(html, headers={"Content-Security-Policy": pages.content_policy()})
