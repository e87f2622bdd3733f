"""Kreislauf: lifecycle marketing on Airflow and on your own warehouse.

Plain Python that runs without Airflow, but for the thin modules that `tests/rules/test_layout.py` lists:
`hooks` (connections), the `dag` and `operator` modules, and what the UI shows.
"""
