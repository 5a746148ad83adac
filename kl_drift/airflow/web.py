"""The pages of kl-drift inside Airflow's API server, behind its access rules.

Knows HTTP and who may see what. A request names a task instance or a check, never a path. Has never
heard of how a page is drawn.
"""

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from kl_drift.airflow import _report_page, _sign_in

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
