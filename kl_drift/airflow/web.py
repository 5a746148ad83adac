"""The page of a saved report, inside Airflow's API server and behind its access rules.

Knows HTTP and the folder of reports. A request names a task instance, never a path, and whoever may
read the XCom of its DAG may read its report. Has never heard of how a report is drawn.
"""

from html import escape

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from kl_drift.airflow import _reports, _storage
from kl_drift.errors import ArtefactNotFoundError, KLDriftError, MissingExtraError

app = FastAPI(title="kl-drift reports", docs_url=None, redoc_url=None, openapi_url=None)


@app.get(
    "/reports/{dag_id}/{run_id}/{task_id}/{map_index}",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.XCOM))],
)
def report_page(dag_id: str, run_id: str, task_id: str, map_index: str) -> HTMLResponse:
    """Show the report that a task instance saved, or say why there is none."""
    # Airflow leaves `{MAP_INDEX}` as it is in the links of tasks that are not mapped.
    index = int(map_index) if map_index.isascii() and map_index.isdigit() else -1
    where = _reports.report_location(dag_id, run_id, task_id, index)
    try:
        return HTMLResponse(_page(where))
    except ArtefactNotFoundError:
        return _said("This task has saved no drift report.", 404)
    except MissingExtraError as error:
        return _said(f"The report is there. {error} where Airflow's API server runs.", 501)
    except (KLDriftError, OSError) as error:
        return _said(f"The report cannot be shown: {error}", 500)


def _page(where: str) -> str:
    from kl_drift.artefact import load_report
    from kl_drift.render.html import render_html

    if not where:
        raise ArtefactNotFoundError("reports are not kept: [kl_drift] reports_folder is empty")
    path, options = _storage.located(where)
    return render_html(load_report(path, options))


def _said(message: str, status: int) -> HTMLResponse:
    page = (
        "<!doctype html><meta charset='utf-8'><title>Drift</title>"
        "<body style='font: 16px system-ui; margin: 3em'>"
        f"<p>{escape(message)}</p>"
    )
    return HTMLResponse(page, status_code=status)
