"""The pages for a person with a browser."""

from __future__ import annotations

import re
from dataclasses import replace

import jwt
import pytest
from fix_control import KEY, make_user
from fleet_control_api.app import create_app, make_services
from fleet_control_api.service.database import Database

PASSWORD = "correct horse battery"
FORM = {"login": "ada", "password": PASSWORD}


@pytest.fixture
def browser(api):
    """A client that keeps cookies, and a viewer called ada."""
    make_user(api.owner, "ada", "viewer", PASSWORD)
    return api.app.test_client()


def test_first_page_says_where_everything_is(browser):
    """Grafana, the document and the runbooks are linked; nothing of the fleet is told."""
    page = browser.get("/")

    assert page.status_code == 200
    for link in ("/api/v1/docs", "/api/v1/openapi.json", "/api/v1/runbooks/NodeDown"):
        assert f'href="{link}"' in page.text
    assert "alpha" not in page.text
    assert 'name="password"' in page.text


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/api/v1/"])
def test_nobody_faces_a_404(browser, path):
    """Whoever types a part of an address is led to the first page."""
    assert (browser.get(path).status_code, browser.get(path).headers["Location"]) == (303, "/")


def test_login_shows_how_the_fleet_stands(api, browser):
    """Nodes, queue, alerts and events, in the words of the database, with nothing of theirs run."""
    api.owner.execute("SELECT fleet.submit_job('healthcare_billing', 7, '<b>eve</b>')")
    api.owner.execute(
        "INSERT INTO control.alerts (labels, summary, started_at) VALUES "
        '(\'{"alertname": "NodeDown", "severity": "critical"}\', \'alpha is <i>gone</i>\', now())'
    )
    answer = browser.post("/login", data=FORM)
    page = browser.get("/").text

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    for text in ("alpha", "healthcare_billing", "NodeDown", "ada, viewer", "&lt;b&gt;eve"):
        assert text in page
    assert "<b>eve" not in page
    assert "<i>gone" not in page


def test_cookie_opens_the_pages_only(browser):
    """It is HttpOnly and SameSite=Strict, and no access token; an access token is no cookie."""
    cookie = browser.post("/login", data=FORM).headers["Set-Cookie"]
    value = re.match("fleet_session=([^;]+)", cookie)[1]
    answer = browser.get("/api/v1/jobs", headers={"Authorization": f"Bearer {value}"})
    access = browser.post("/api/v1/auth/login", json=FORM).json["access_token"]
    browser.set_cookie("fleet_session", access)

    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert answer.status_code == 401
    assert "Log out" not in browser.get("/").text


def test_cookie_is_secure_over_tls(browser):
    """Where there is TLS, the cookie never travels without."""
    answer = browser.post("/login", data=FORM, base_url="https://localhost")

    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_logout_ends_the_session(api, browser):
    """The cookie is gone, and worth nothing to whoever kept it."""
    browser.post("/login", data=FORM)
    kept = browser.get_cookie("fleet_session").value
    browser.post("/logout")
    browser.set_cookie("fleet_session", kept)

    assert "Log out" not in browser.get("/").text
    assert [row["action"] for row in api.audit()] == ["auth.login", "auth.logout"]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
@pytest.mark.parametrize("path", ["/login", "/logout", "/password"])
def test_form_of_another_site_is_refused(browser, path, headers):
    """A page elsewhere can neither log anybody in or out, nor set a password."""
    answer = browser.post(path, data=FORM, headers=headers)

    assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)


def test_own_form_is_taken(browser):
    """What browsers send of their own accord is fine."""
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}

    assert browser.post("/login", data=FORM, headers=headers).status_code == 303


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({**FORM, "password": "wrong"}, 401),
        ({"login": "ada"}, 422),
        ({**FORM, "login": "a\x00"}, 422),
        ({**FORM, "login": "<script>"}, 401),
        ({**FORM, "more": "x"}, 422),
    ],
)
def test_wrong_login_is_said_on_the_page(browser, form, status):
    """The answer is a page with the reason, and repeats nothing that could run."""
    answer = browser.post("/login", data=form)

    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert 'role="status"' in answer.text
    assert "<script" not in answer.text


def test_logins_are_limited_here_too(browser):
    """The form is no way around the limit of the API."""
    codes = [browser.post("/login", data={**FORM, "password": "x"}).status_code for _ in range(6)]

    assert codes == [401] * 5 + [429]


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "none", "expired"])
def test_forged_cookie_shows_the_login(api, browser, forged):
    """Whatever is not our own cookie is no login."""
    session = api.owner.execute(
        "SELECT control.open_session('ada', '\\x00', '1 day')::text AS id"
    ).fetchone()["id"]
    claims = {"iss": "fleet-control-api", "aud": "fleet-page", "sub": "ada", "sid": session,
              "iat": 1, "exp": 2**40}  # fmt: skip
    value = {
        "none": jwt.encode(claims, None, "none"),
        "expired": jwt.encode(claims | {"exp": 2}, KEY),
    }.get(forged, forged)
    browser.set_cookie("fleet_session", value)

    assert 'name="password"' in browser.get("/").text


def test_invitation_is_accepted_on_its_page(api, browser):
    """The link of an invitation leads to a form that sets the password."""
    invitation = api.call("admin", "POST", "/users/ada/invite").json
    path = invitation["url"].removeprefix("http://127.0.0.1:1")
    page = browser.get(path)
    short = browser.post("/password", data={"code": invitation["code"], "password": "short"})
    done = browser.post("/password", data={"code": invitation["code"], "password": "x" * 12})
    again = browser.post("/password", data={"code": invitation["code"], "password": "x" * 12})

    assert f'value="{invitation["code"]}"' in page.text
    assert [each.status_code for each in (short, done, again)] == [422, 200, 401]
    assert browser.post("/login", data={**FORM, "password": "x" * 12}).status_code == 303


def test_page_allows_its_own_style_and_no_script(browser):
    """The policy names the style sheet by its hash; nothing comes from elsewhere."""
    for path in ("/", "/password", "/api/v1/docs"):
        page = browser.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "<script" not in page.text
        assert "unsafe" not in policy


def test_page_without_grafana_says_so(control_settings):
    """Where there is no Grafana the page names the way to one."""
    services = make_services(replace(control_settings, grafana_url="", grafana_issuer="/"))
    page = create_app(control_settings, services).test_client().get("/").text
    services.database.close()

    assert "There is no Grafana" in page


def test_page_is_there_without_a_database(api, browser):
    """It says that the database does not answer, and still where everything is."""
    browser.post("/login", data=FORM)
    away = Database("postgresql://fleet_control@127.0.0.1:1/none")
    api.use(database=away)
    page, login = browser.get("/"), browser.post("/login", data=FORM)
    away.close()

    assert (page.status_code, login.status_code) == (200, 503)
    assert "the database does not answer" in page.text
