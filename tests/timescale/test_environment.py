"""FLEET_* variables, secrets in files, and log lines."""

from __future__ import annotations

import json
import logging

import pytest
from fleet_timescale import settings
from fleet_timescale.errors import FleetError, SettingsError
from fleet_timescale.log import JsonFormatter


def test_variables_are_typed():
    """Text, numbers and addresses come out as what they are; blanks take the default."""
    environ = {"FLEET_A": " x ", "FLEET_N": "2.5", "FLEET_L": "127.0.0.1:9100", "FLEET_E": " "}

    assert settings.text(environ, "FLEET_A") == "x"
    assert settings.text(environ, "FLEET_E", "default") == "default"
    assert settings.number(environ, "FLEET_N", 1) == 2.5
    assert settings.number(environ, "FLEET_X", 1) == 1.0
    assert settings.address(environ, "FLEET_L") == ("127.0.0.1", 9100)


@pytest.mark.parametrize(
    ("read", "value", "told"),
    [
        (settings.text, None, "FLEET_X is not set; `./fleet up` sets it"),
        (settings.text, "  ", "FLEET_X is not set"),
        (lambda e, n: settings.number(e, n, 1), "many", "FLEET_X must be a number, not 'many'"),
        (settings.address, "9100", "FLEET_X must be HOST:PORT, not '9100'"),
        (settings.address, "host:", "FLEET_X must be HOST:PORT, not 'host:'"),
        (settings.address, "host:http", "FLEET_X must be HOST:PORT, not 'host:http'"),
    ],
)
def test_bad_variable_names_itself_and_the_form(read, value, told):
    """Who starts a program by hand learns what it wants."""
    environ = {} if value is None else {"FLEET_X": value}

    with pytest.raises(SettingsError) as caught:
        read(environ, "FLEET_X")

    assert told in str(caught.value)


def test_secret_comes_from_its_file(tmp_path):
    """The file's content, without the line's end; a missing or empty file is named."""
    file, empty = tmp_path / "secret", tmp_path / "empty"
    file.write_text("s3cret\n")
    empty.write_text("\n")

    assert settings.secret({"FLEET_KEY_FILE": str(file)}, "FLEET_KEY") == "s3cret"
    with pytest.raises(SettingsError, match="empty, which is empty"):
        settings.secret({"FLEET_KEY_FILE": str(empty)}, "FLEET_KEY")
    with pytest.raises(SettingsError, match="gone, which cannot be read"):
        settings.secret({"FLEET_KEY_FILE": str(tmp_path / "gone")}, "FLEET_KEY")


def test_error_without_words_says_what_its_class_is():
    """The docstring is the message where nobody gave one."""
    assert str(SettingsError()) == "A setting is missing or has a value that cannot be used."
    assert issubclass(SettingsError, FleetError)


def test_log_line_is_one_json_object():
    """A fixed sentence, its values beside it, also of an exception."""
    try:
        float("two\nlines")
    except ValueError as exc:
        record = logging.getLogger("fleet.tests").makeRecord(
            "fleet.tests", logging.WARNING, "x.py", 1, "It broke.", (), (type(exc), exc, None),
            extra={"node": "alpha"},
        )  # fmt: skip

    text = JsonFormatter().format(record)

    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["logger"], line["message"]) == (
        "warning",
        "fleet.tests",
        "It broke.",
    )
    assert line["node"] == "alpha"
    assert "ValueError" in line["exception"]
    assert line["time"].endswith("+00:00")
