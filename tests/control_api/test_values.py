"""Values that callers send: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import pytest
from fleet_control_api.service.database import Database
from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.arguments import parse, parse_query
from fleet_control_api.values.auth import Credentials
from fleet_control_api.values.fleet import Why
from fleet_control_api.values.jobs import JobFilter, Order

ORDER = {"scenario": "healthcare_billing", "count": 5}
MEGABYTE = "x" * 2**20


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/jobs", {**ORDER, "scenario": ""}, 422, "must be a text that is not empty, not ''"),
        ("/jobs", {**ORDER, "scenario": "\u3000"}, 422, "must be a text that is not empty, not"),
        ("/jobs", {**ORDER, "scenario": MEGABYTE}, 413, "the body is larger than 65536 bytes"),
        ("/jobs", {**ORDER, "idempotency_key": "\u202etxt"}, 422, "must be one line of printable"),
        ("/jobs", {**ORDER, "count": None}, 422, "count must be a whole number, not null"),
        ("/jobs", {**ORDER, "count": 5.5}, 422, "count must be a whole number, not 5.5"),
        ("/jobs", {**ORDER, "count": "9" * 5000}, 422, "count must be a whole number, not '999"),
        ("/jobs", {"colour": "red"}, 422,
         "scenario is missing; count is missing; unknown value 'colour'"),
        ("/fleet/pause", {"reason": "a\x00b"}, 422, "reason must be one line of printable"),
        ("/fleet/pause", {"reason": "\ud800"}, 422, "reason must be one line of printable"),
        ("/fleet/pause", {"reason": ["x"] * 99}, 422, "reason must be a text that is not empty"),
        ("/auth/logout", {"reason": "x"}, 422, "unknown value 'reason'"),
    ],
)  # fmt: skip
def test_unusable_value_is_named(lasting_api, path, body, status, detail):
    """The answer names the value and what is wrong with it, in one sentence each."""
    response = lasting_api.call("operator", "POST", path, json=body)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert detail in response.json["detail"]


@pytest.mark.parametrize("bomb", ["[", '{"a":'], ids=["arrays", "objects"])
def test_deep_body_is_refused(lasting_api, bomb):
    """A body of ten thousand open brackets is an answer of 400, whatever follows them."""
    response = lasting_api.call(
        "operator", "POST", "/fleet/pause", data=bomb * 10_000, content_type="application/json"
    )

    assert (response.status_code, response.json["detail"]) == (
        400, "the body is nested deeper than 16 levels",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/jobs", "/audit"])
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "", "ten", "1e2", "%00", "1&limit=2"])
def test_unusable_limit_is_refused(lasting_api, path, limit):
    """A list has 1 to 1000 rows, and one limit."""
    response = lasting_api.call("viewer", "GET", f"{path}?limit={limit}")

    assert response.status_code == 422
    assert response.json["detail"].startswith("limit ")


def test_reason_may_be_null(api):
    """null is no reason, as the document says; so is a body without one, or none at all."""
    for options in ({"json": {"reason": None}}, {"json": {}}, {}):
        assert api.call("operator", "POST", "/fleet/pause", **options).json["reason"] == ""


def test_job_id_belongs_in_the_path(lasting_api):
    """A second id in the body is refused rather than ignored."""
    job = "00000000-0000-4000-8000-000000000000"
    response = lasting_api.call(
        "operator", "POST", f"/jobs/{job}/cancel", json={"job_id": job, "reason": "x"}
    )

    assert (response.status_code, response.json["detail"]) == (422, "unknown value 'job_id'")


def test_logout_needs_a_session(lasting_api):
    """An API token has none to end, which is a conflict and no fault of a value."""
    assert lasting_api.call("viewer", "POST", "/auth/logout").status_code == 409


def test_numbers_are_whole_in_json_and_text_in_queries():
    """5.0 is a whole number in JSON; a number in quotes is none there, and one in a query."""
    assert parse(Order, {**ORDER, "count": 5.0}).count == 5
    assert parse_query(JobFilter, [("limit", "7")]).limit == 7
    with pytest.raises(InvalidError, match="count must be a whole number, not '5'"):
        parse(Order, {**ORDER, "count": "5"})


def test_texts_are_trimmed():
    """Spaces around a text are no part of it."""
    assert parse(Why, {"reason": "  driver update "}).reason == "driver update"


def test_secrets_are_not_repeated():
    """What was typed as a password stands in no message, whatever is wrong with it."""
    for password in (["correct horse"], "correct horse" * 99):
        with pytest.raises(InvalidError) as raised:
            parse(Credentials, {"login": "ada", "password": password})
        assert "horse" not in f"{raised.value} {raised.value.remedy} {raised.value.__cause__}"


def test_many_faults_are_counted():
    """The answer stays short, however much is wrong."""
    with pytest.raises(InvalidError, match="; 95 more values cannot be used"):
        parse(Why, {f"name{number}": 1 for number in range(100)})


@pytest.mark.parametrize(
    ("header", "status"),
    [("monday morning", 201), ("", 422), ("m\u00f6ntag", 422), ("x" * 501, 422)],
)
def test_idempotency_key_is_checked_in_the_header_too(api, header, status):
    """The header has the limits that the document names."""
    headers = {"Idempotency-Key": header}

    assert api.call("operator", "POST", "/jobs", json=ORDER, headers=headers).status_code == status


def test_document_names_scenarios_runbooks_and_limits(api):
    """What only the running program knows stands in the document: read it to fill in a form."""
    document = api.call("nobody", "GET", "/openapi.json").json
    schemas = document["components"]["schemas"]

    assert {"mixed", "healthcare_billing"} <= set(schemas["ScenarioOrMixed"]["enum"])
    assert "mixed" not in schemas["Scenario"]["enum"]
    assert schemas["ConversationCount"]["maximum"] == 100_000
    assert "NodeDown" in schemas["AlertName"]["enum"]


def test_document_is_there_without_a_database(lasting_api):
    """The address of a form does not depend on the database; its lists do."""
    lasting_api.app.extensions["fleet"].database.close()
    away = Database("postgresql://fleet_control@127.0.0.1:1/none")
    lasting_api.use(database=away)
    document = lasting_api.call("nobody", "GET", "/openapi.json").json
    page = lasting_api.call("nobody", "GET", "/docs")
    away.close()

    assert "enum" not in document["components"]["schemas"]["Scenario"]
    assert page.status_code == 200
