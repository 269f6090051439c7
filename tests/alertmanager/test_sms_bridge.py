"""The bridge: from Alertmanager's webhook to a provider, with what can go wrong between them."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from fix_fleet import wait_until
from fix_sms import run_server, webhook
from fleet_sms import cap, deliveries
from fleet_sms.bridge import Bridge
from fleet_sms.courier import Answer
from fleet_sms.provider import parse_provider
from fleet_sms.server import Server
from fleet_sms.spool import Spool
from fleet_sms.text import parse_notice
from psycopg import OperationalError

NUMBERS = ["+15550100123", "+4915550100"]
FILE = f"""
provider = "twilio"
to = {json.dumps(NUMBERS)}
from = "+15550100999"
account = "AC1"
token = "hunter2"
"""
SENT = Answer(is_sent=True)
REFUSED = Answer(is_sent=False, reason="400 Invalid 'To'")
AWAY = Answer(is_sent=False, is_final=False, reason="503 later")


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


class Sent:
    """Stands for the provider: keeps bodies, answers as told."""

    def __init__(self):
        self.bodies = []
        self.answer = SENT

    def __call__(self, call):
        self.bodies.append(call.body.decode())
        return self.answer


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def bridge(tmp_path, clock, sent):
    provider = replace(parse_provider(FILE), numbers=("+15550100123",))
    made = Bridge(provider, Spool(tmp_path / "sms"), send=sent, clock=clock)
    made.spool.prepare()
    return made


def tell(bridge, *nodes, **how):
    """Hand in a notice; return what became of it."""
    return bridge.take(parse_notice(webhook(*nodes, **how)))


def test_every_number_gets_the_message(bridge, sent):
    """One message each."""
    bridge.provider = parse_provider(FILE)
    tell(bridge, "alpha")
    bridge.send_due()

    assert len(sent.bodies) == 2
    assert {done.message.number for done in bridge.spool.list_done(9)} == set(NUMBERS)


def test_delivery_that_is_repeated_is_no_second_message(bridge, sent, clock):
    """Alertmanager tells again what it does not know to be taken; reminders come hourly."""
    fates = [tell(bridge, "alpha"), tell(bridge, "alpha")]
    clock.now += 3600
    fates.append(tell(bridge, "alpha"))
    bridge.send_due()

    assert fates == ["queued", "repeated", "queued"]
    assert len(sent.bodies) == 2


def test_return_of_an_alert_is_news(bridge):
    """The last word about a group must be the truth, however short the pause was."""
    fates = [tell(bridge, "a"), tell(bridge, "a", status="resolved"), tell(bridge, "a")]

    assert fates == ["queued"] * 3


def test_storm_is_few_messages_and_one_about_the_rest(bridge, sent, clock):
    """402 notices in a second: five messages, and one that counts the others."""
    for number in range(402):
        tell(bridge, f"node-{number}", name=f"Alert{number % 7}")
    bridge.send_due()
    bridge.tell_rest()
    bridge.send_due()
    assert len(sent.bodies) == cap.BURST

    clock.now += 3600 / bridge.provider.per_hour
    bridge.tell_rest()
    bridge.tell_rest()
    bridge.send_due()

    assert len(sent.bodies) == cap.BURST + 1
    assert "And+397+more+alert+messages" in sent.bodies[-1]


def test_cap_and_memory_outlive_a_restart(bridge, clock, sent):
    """A bridge that ends and begins again tells nothing twice and forgets no cap."""
    for number in range(9):
        tell(bridge, f"node-{number}")
    again = Bridge(bridge.provider, bridge.spool, send=sent, clock=clock)

    assert tell(again, "node-8") == "repeated"
    assert tell(again, "node-99") == "held_back"
    again.send_due()
    assert len(sent.bodies) == cap.BURST


def test_failed_message_is_tried_again_later_each_time(bridge, sent, clock):
    """1 s, 2 s, 4 s … and at last delivered."""
    sent.answer = AWAY
    tell(bridge, "alpha")
    times = []
    for _ in range(20):
        before = len(sent.bodies)
        bridge.send_due()
        times += [clock.now - 1_000_000] if len(sent.bodies) > before else []
        clock.now += 1
    sent.answer = SENT
    clock.now += 100
    bridge.send_due()
    (done,) = bridge.spool.list_done(9)

    assert times == [0, 1, 3, 7, 15]
    assert (done.outcome, done.tries) == ("sent", 6)


def test_provider_that_asks_for_patience_gets_it(bridge, sent, clock):
    """Retry-After wins over a shorter pause."""
    sent.answer = replace(AWAY, retry_seconds=30.0)
    tell(bridge, "alpha")
    for _ in range(31):
        bridge.send_due()
        clock.now += 1

    assert len(sent.bodies) == 2


def test_refused_number_is_given_up(bridge, sent):
    """With what the provider said; others are not held up."""
    sent.answer = REFUSED
    tell(bridge, "alpha")
    bridge.send_due()
    (done,) = bridge.spool.list_done(9)

    assert (done.outcome, done.reason) == ("refused", "400 Invalid 'To'")
    assert bridge.spool.list_waiting() == []


def test_old_news_wakes_nobody(bridge, sent, clock):
    """After four hours without a provider it is given up."""
    sent.answer = AWAY
    tell(bridge, "alpha")
    bridge.send_due()
    clock.now += 4 * 3600 + 1
    sent.answer = SENT
    bridge.send_due()

    assert [done.outcome for done in bridge.spool.list_done(9)] == ["expired"]


def post(server, body, token="right"):
    """Post to the bridge; return the status and what it says."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.server_port}/alerts", body,
        {"Authorization": f"Bearer {token}"}, method="POST",
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode().strip()


@pytest.fixture
def served(bridge):
    with run_server(Server(("127.0.0.1", 0), bridge, "right")) as server:
        yield server


def test_notice_is_on_disk_when_alertmanager_is_told(served, bridge):
    """Nothing is sent yet, and nothing can be lost."""
    body = json.dumps(webhook("alpha")).encode()

    assert post(served, body) == (200, "queued")
    assert [message.alertname for message in bridge.spool.list_waiting()] == ["NodeDown"]


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [
        (b"{}", "wrong", 401),
        (b"{}", "right", 400),
        (b"no json", "right", 400),
        (b'{"alerts": [], "groupKey": "x"}', "right", 400),
        (b"[1]", "right", 400),
    ],
)
def test_strange_requests_are_refused(served, bridge, body, token, status):
    """And leave nothing behind."""
    assert post(served, body, token)[0] == status
    assert bridge.spool.list_waiting() == []


def test_full_disk_is_told_to_alertmanager(served, bridge):
    """It tries again later."""
    (bridge.spool.folder / "waiting").rmdir()

    assert post(served, json.dumps(webhook("alpha")).encode())[0] == 503


def test_page_counts_what_was_done(served, bridge):
    """Each outcome from the start."""
    tell(bridge, "alpha")
    bridge.send_due()
    url = f"http://127.0.0.1:{served.server_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        page = answer.read().decode()

    assert 'fleet_sms_sent_total{outcome="sent"} 1.0' in page
    assert 'fleet_sms_sent_total{outcome="refused"} 0.0' in page


def test_message_goes_out_without_a_database(bridge, sent):
    """What became of it waits on disk until the database is back."""

    def connect():
        raise OperationalError("away")

    stop = threading.Event()
    thread = threading.Thread(target=bridge.run, args=[stop])
    thread.start()
    tell(bridge, "alpha")
    wait_until(lambda: sent.bodies, "it is sent")
    stop.set()
    bridge.new.set()
    thread.join()
    with pytest.raises(OperationalError):
        deliveries.write(bridge.spool, connect)

    assert bridge.spool.count_done() == 1


def test_deliveries_become_rows(bridge, database, clock):
    """Once, also when the bridge tells them again; of the number only its end."""
    clock.now = 1_790_000_000.0
    tell(bridge, "alpha")
    clock.now += 1.5
    bridge.send_due()
    done = bridge.spool.list_done(9)
    deliveries.write(bridge.spool, lambda: database.connect("fleet_sms"))
    bridge.spool.finish(done[0])
    deliveries.write(bridge.spool, lambda: database.connect("fleet_sms"))
    with database.connect("fleet_grafana") as viewer:
        rows = viewer.execute("SELECT * FROM analytics.sms_deliveries").fetchall()

    (row,) = rows
    assert (row["alertname"], row["state"], row["outcome"]) == ("NodeDown", "firing", "sent")
    assert (row["number_end"], row["duration_seconds"]) == ("0123", 1.5)
    assert bridge.spool.count_done() == 0
