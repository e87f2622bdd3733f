"""Kreislauf: lifecycle marketing on Airflow and on your own warehouse.

Everything below this package is plain Python that runs without Airflow; only
`kreislauf.hooks` and `kreislauf.flow.dag` know it.
"""
