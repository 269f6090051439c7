"""The file that names a provider, and the requests that come of it."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import pytest
from fix_sms import Provider, run_server
from fleet_sms.courier import Answer, parse_refusal, send
from fleet_sms.errors import SmsError
from fleet_sms.provider import parse_provider

TWILIO = """
provider = "twilio"
to = ["+15550100123", "+4915550100"]
from = "+15550100999"
account = "AC1"
token = "hunter2"
"""
PLAIN = """
provider = "http"
to = ["+15550100123"]
from = "fleet"
url = "https://sms.example/{to}/send?text={text}"
"""
JSON = """
provider = "http"
to = ["+15550100123"]
url = "https://sms.example/send"
[headers]
Authorization = "Bearer hunter2"
[fields]
recipient = "{to}"
message = "fleet: {text}"
"""


def test_twilio_gets_a_form_with_basic_auth():
    """As its REST interface wants it, version 2010-04-01."""
    call = parse_provider(TWILIO).render("+15550100123", "A & B")

    assert call.url == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
    assert call.headers["Authorization"] == f"Basic {base64.b64encode(b'AC1:hunter2').decode()}"
    assert parse_qs(call.body.decode()) == {
        "To": ["+15550100123"], "From": ["+15550100999"], "Body": ["A & B"],
    }  # fmt: skip


def test_values_in_an_address_are_quoted():
    """A plus is no space, and a text cannot add a parameter."""
    call = parse_provider(PLAIN).render("+15550100123", "A&to=B {from}")

    assert call.url == ("https://sms.example/%2B15550100123/send?text=A%26to%3DB%20%7Bfrom%7D")
    assert (call.method, call.body) == ("GET", None)


def test_fields_become_json():
    """A quote in the text breaks out of nothing; a name in braces stays text."""
    call = parse_provider(JSON).render("+15550100123", 'He said "no" to {to}')

    assert call.method == "POST"
    assert call.headers == {
        "Content-Type": "application/json", "Authorization": "Bearer hunter2",
    }  # fmt: skip
    assert json.loads(call.body) == {
        "recipient": "+15550100123", "message": 'fleet: He said "no" to {to}',
    }  # fmt: skip


def test_fields_become_a_form():
    """Where the provider wants one."""
    call = parse_provider('body = "form"\n' + JSON).render("+15550100123", "ä=1&b")

    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(call.body.decode())["message"] == ["fleet: ä=1&b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("to = [", "is no TOML"),
        ('provider = "pigeon"', "provider must be 'twilio' or 'http', not 'pigeon'"),
        (TWILIO.replace("+1555", "1555"), "'15550100123' in to"),
        (TWILIO.replace('token = "hunter2"', ""), "twilio needs token"),
        (TWILIO + "per_hour = 5000", "per_hour must be 1 to 60"),
        (TWILIO + 'tokn = "x"', "knows no 'tokn'"),
        (TWILIO + 'url = "ftp://x"', "url must start with https"),
        (PLAIN.replace("{text}", "hi"), "neither url nor fields contains {text}"),
        (PLAIN.replace("GET", "") + 'method = "G T"', "method must be"),
        (JSON + "n = 1", "n must be a text"),
        ('provider = "http"\nto = []\nurl = "https://x/{text}"', "list of 1 to 10 numbers"),
    ],
)
def test_file_that_cannot_be_used_is_refused(text, said):
    """The message names what is wrong, and shows no secret."""
    with pytest.raises(SmsError, match=said) as refused:
        parse_provider(text)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "is_final"), [(400, True), (404, True), (401, False), (429, False), (503, False)]
)
def test_refusals_that_may_pass_are_tried_again(code, is_final):
    """A login can be put right and a limit passes; a wrong number stays wrong."""
    answer = parse_refusal(code, {}, b'{"code": 21211, "message": "Invalid \'To\'"}')

    assert answer == Answer(is_sent=False, is_final=is_final, reason=f"{code} Invalid 'To'")


def test_provider_says_when_to_try_again():
    """Retry-After in seconds; a date is not worth a parser."""
    assert parse_refusal(429, {"Retry-After": "30"}, b"slow down").retry_seconds == 30
    assert parse_refusal(429, {"Retry-After": "Sat, 28 Nov"}, b"").retry_seconds == 0


def test_redirect_is_not_followed():
    """The login would go with it."""
    with run_server(Provider()) as provider:
        provider.answers = [(302, "", {"Location": f"{provider.url}/elsewhere"})]
        text = JSON.replace("https://sms.example", provider.url)
        answer = send(parse_provider(text).render("+15550100123", "x"))

    assert (answer.is_sent, answer.is_final) == (False, True)
    assert [path for _, path, _, _ in provider.requests] == ["/send"]


def test_provider_that_cannot_be_reached_is_tried_again():
    """The reason names the trouble."""
    with run_server(Provider()) as provider:
        url = provider.url
    answer = send(parse_provider(JSON.replace("https://sms.example", url)).render("+1555010", "x"))

    assert (answer.is_sent, answer.is_final) == (False, False)
    assert "refused" in answer.reason
