"""What Kreislauf shows inside Airflow's own UI."""
