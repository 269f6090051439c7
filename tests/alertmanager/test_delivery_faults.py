"""What people get while a mail server, or Alertmanager itself, fails and comes back."""

from __future__ import annotations

import re
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from fix_fleet import wait_until
from fix_mail import PASSWORD, USER
from fix_sms import Provider, run_server

PUBLISHED = """<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
<PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"""


def alert(name, node="alpha", severity="critical", description="It is at 91 °C."):
    """An alert as Prometheus hands it in."""
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "node": node, "severity": severity},
        "annotations": {"summary": f"{name} in short.", "description": description},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=5)).isoformat(),
    }


def take_history(history, tmp_path):
    """Return the settings with which what receivers tell the control API is taken."""
    (tmp_path / "token").write_text("right")
    return {"webhook_url": history.url, "webhook_token_file": str(tmp_path / "token")}


def settings(server, history, tmp_path):
    """Return what the launcher would fill in for this mail server."""
    (tmp_path / "smtp_password").write_text(PASSWORD)
    return {
        **take_history(history, tmp_path),
        "smtp_address": f"{server.host}:{server.port}",
        "smtp_needs_starttls": True,
        "smtp_user": USER,
        "smtp_password_file": str(tmp_path / "smtp_password"),
        "smtp_ca_file": server.certificate,
        "mail_from": USER,
    }


def count_mails(running, what):
    """Return how many tries of mails Alertmanager has counted: `requests` or `requests_failed`."""
    with urllib.request.urlopen(f"{running.url}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    found = re.findall(
        rf'^alertmanager_notification_{what}_total\{{[^}}]*integration="email"[^}}]*\}} (\S+)',
        page, re.MULTILINE,
    )  # fmt: skip
    return sum(float(one) for one in found)


@pytest.fixture
def history():
    """Stands for the control API: takes all that receivers tell, so that only mails can fail."""
    with run_server(Provider()) as server:
        yield server


@pytest.mark.parametrize("answer", ["451 4.3.0 later", "554 5.7.1 no spam"])
def test_refused_mail_is_delivered_once_it_is_taken(
    alertmanager, mail_servers, history, tmp_path, answer
):
    """A server that refuses is asked again, counted, and gets one mail when it is well."""
    server = mail_servers()
    server.handler.sender_answer = answer
    running = alertmanager(**settings(server, history, tmp_path))
    running.post(alert("GpuHot"))
    wait_until(lambda: count_mails(running, "requests_failed") >= 2, "it was tried twice")
    server.handler.sender_answer = ""
    message = server.handler.next(timeout=60)

    assert message["Subject"].startswith("[FIRING critical] GpuHot on alpha")
    assert answer in (tmp_path / "alertmanager.log").read_text()
    assert server.handler.messages.empty()


@pytest.mark.parametrize("is_hanging", [False, True], ids=["refuses", "hangs"])
def test_one_way_that_fails_holds_up_no_other(
    alertmanager, mail_servers, history, tmp_path, is_hanging
):
    """Without a mail server the text message is there all the same; the mail comes when it can."""
    server = mail_servers()
    server.handler.is_hanging = is_hanging
    server.handler.sender_answer = "" if is_hanging else "451 4.3.0 later"
    with run_server(Provider()) as bridge:
        running = alertmanager(
            **settings(server, history, tmp_path),
            sms_url=f"{bridge.url}/alerts", sms_token_file=str(tmp_path / "token"),
        )  # fmt: skip
        running.post(alert("GpuHot"))
        wait_until(lambda: bridge.requests, "the bridge is told")
        assert server.handler.messages.empty()
        server.handler.sender_answer, server.handler.is_hanging = "", False
        message = server.handler.next(timeout=60)

    assert message["Subject"].startswith("[FIRING critical] GpuHot on alpha")


def test_restart_loses_and_doubles_nothing(alertmanager, mail_servers, history, tmp_path):
    """Alertmanager ends between two mails; Prometheus tells it both again, as it always does."""
    server = mail_servers()
    given = settings(server, history, tmp_path) | {"warning_wait": "3s"}
    told, waiting = alert("GpuHot"), alert("DiskFillingUp", "beta", "warning")
    running = alertmanager(**given)
    running.post(told, waiting)
    first = server.handler.next()["Subject"]
    wait_until(lambda: count_mails(running, "requests"), "it knows that the mail was taken")
    running.stop()
    running = alertmanager(**given)
    running.post(told, waiting)
    second = server.handler.next()["Subject"]
    running.post(told, waiting, alert("CpuHot"))
    third = server.handler.next()["Subject"]

    assert first.startswith("[FIRING critical] GpuHot on alpha")
    assert second.startswith("[FIRING warning] DiskFillingUp on beta")
    assert third.startswith("[FIRING critical] CpuHot on alpha")
    assert server.handler.messages.empty()


def test_text_message_by_amazon(alertmanager, history, tmp_path):
    """A signed call of SNS with at most 160 characters; the credentials come from a file."""
    login = tmp_path / "sns_credentials"
    login.write_text("[default]\naws_access_key_id = AKID\naws_secret_access_key = secret\n")
    topic = "arn:aws:sns:eu-central-1:123456789012:alerts"
    with run_server(Provider()) as amazon:
        amazon.answers = [(200, PUBLISHED, {"Content-Type": "text/xml"})] * 9
        running = alertmanager(
            environ={"AWS_SHARED_CREDENTIALS_FILE": str(login)},
            sns_topic=topic, sns_url=amazon.url, **take_history(history, tmp_path),
        )  # fmt: skip
        running.post(alert("GpuHot", description="GPU at 91 °C. " * 20))
        wait_until(lambda: amazon.requests, "Amazon is called")
        _, _, headers, body = amazon.requests[0]
        told = {name: values[0] for name, values in parse_qs(body).items()}

    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert (told["Action"], told["TopicArn"]) == ("Publish", topic)
    assert told["Message"].startswith("FIRING GpuHot: GPU at 91 C. GPU")
    assert len(told["Message"]) == 160


def test_heartbeat_goes_on_while_the_watchdog_fires(alertmanager, history, tmp_path):
    """Each interval, to the address of the service; no person gets it."""
    with run_server(Provider()) as service:
        running = alertmanager(
            heartbeat_url=f"{service.url}/ping/1",
            heartbeat_interval="1s", heartbeat_repeat="500ms",
            **take_history(history, tmp_path),
        )  # fmt: skip
        running.post(alert("Watchdog", severity="none"))
        wait_until(lambda: len(service.requests) >= 3, "the service was called three times")

    assert {path for _, path, _, _ in service.requests} == {"/ping/1"}
    assert running.mailbox.messages.empty()
