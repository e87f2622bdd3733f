import json

import pytest

from kreislauf.connections import Connection


def test_reads_a_connection_from_the_environment(monkeypatch):
    given = {"conn_type": "http", "host": "http://127.0.0.1", "port": 80, "password": "p", "extra": {"a": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(given))
    found = Connection.from_env("shop")
    assert (found.url, found.secret(), found.extra) == ("http://127.0.0.1:80", "p", {"a": 1})


def test_extra_may_be_json_in_json_as_airflow_exports_it(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_X", json.dumps({"conn_type": "http", "extra": '{"from_email": "a@example.com"}'})
    )
    assert Connection.from_env("x").extra == {"from_email": "a@example.com"}


def test_secrets_are_not_shown():
    shown = repr(Connection("shop", "http", password="hunter2", extra={"key": "hunter3"}))
    assert "hunter" not in shown


@pytest.mark.parametrize("text", ["http://user:hunter2@host", '["hunter2"]', '{"host": "hunter2"}'])
def test_an_unreadable_variable_is_named_but_not_repeated(monkeypatch, text):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", text)
    with pytest.raises(ValueError, match="AIRFLOW_CONN_SHOP") as caught:
        Connection.from_env("shop")
    assert "hunter2" not in str(caught.value)


def test_a_missing_connection_is_named(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_NOWHERE", raising=False)
    with pytest.raises(LookupError, match=r"'nowhere'.*AIRFLOW_CONN_NOWHERE"):
        Connection.from_env("nowhere")


def test_a_host_without_scheme_is_https():
    assert Connection("crm", "http", host="api.hubapi.com/").url == "https://api.hubapi.com"


def test_missing_host_or_password_names_the_connection():
    with pytest.raises(ValueError, match="'crm' has no host"):
        _ = Connection("crm", "http").url
    with pytest.raises(ValueError, match="'crm' has no password"):
        Connection("crm", "http").secret()
