# One image for every service of docker-compose.yaml.
FROM python:3.12-slim

RUN useradd --create-home --uid 50000 airflow
WORKDIR /opt/kreislauf
COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt
COPY . .
# What a new volume is given; and Airflow's own files, which no two containers share.
RUN install --directory --owner=airflow var var/landing var/landing/inbox /opt/airflow

USER airflow
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/kreislauf/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/kreislauf/plugins \
    PYTHONPATH=/opt/kreislauf/plugins:/opt/kreislauf \
    PYTHONUNBUFFERED=1
