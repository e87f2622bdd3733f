"""The app that Airflow's API server mounts at /kreislauf, for people who are signed in."""

from __future__ import annotations

from pathlib import Path

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse

from kreislauf.places import home

app = FastAPI(title="Kreislauf", dependencies=[Depends(requires_access_view(AccessView.WEBSITE))])


@app.get("/data_docs/{page:path}")
def data_docs(page: str) -> FileResponse:
    """A page of the audits' reports, or a file it shows."""
    root = (home() / "data_docs").resolve()
    file: Path = (root / page.replace("\0", "")).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        raise HTTPException(404, "there is no such report; builds that were removed take theirs along")
    return FileResponse(file)
