"""The health checks of docker-compose.yaml: `python -m scripts.compose_health scheduler`.

Asks Airflow's API server for the part's heartbeat. `airflow jobs check` would answer the same and load
the whole of Airflow for it, ten times as long.
"""

from __future__ import annotations

import json
import sys
import urllib.request

DEFAULT_URL = "http://airflow-api-server:8080"


def main(part: str, url: str = DEFAULT_URL) -> int:
    """0 if `part` (metadatabase, scheduler, dag_processor or triggerer) is healthy, else 1."""
    with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=8) as answer:  # ruff: ignore[suspicious-url-open-usage]
        status = json.load(answer)[part]["status"]
    print(part, status)
    return 0 if status == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
