"""`fleet <noun> <verb>` against a running control API."""

from __future__ import annotations

import json
import zipfile
from contextlib import ExitStack

import pytest
from fix_http import QuietHandler, listen, serving
from fix_ports import free_port
from fleet_control_api.client import Place, main


def test_job_from_order_to_end(fleet):
    """Submit, list, show and cancel, as tables and as JSON."""
    code, out, _ = fleet(
        "jobs",
        "submit",
        "--scenario",
        "healthcare_billing",
        "--count",
        "5",
        "--priority",
        "7",
        "--json",
    )
    job = json.loads(out)
    assert (code, job["wanted"], job["priority"]) == (0, 5, 7)

    code, out, _ = fleet("jobs", "list")
    assert out.splitlines()[0].split()[:4] == ["job", "state", "scenario", "progress"]
    assert job["job_id"] in out

    _, out, _ = fleet("jobs", "show", job["job_id"])
    assert "healthcare_billing" in out

    code, out, _ = fleet("jobs", "cancel", job["job_id"], "--reason", "wrong one")
    assert (code, out) == (0, f"Job {job['job_id']} is cancelled; 0 accepted conversations stay.\n")

    code, out, err = fleet("jobs", "cancel", job["job_id"])
    assert (code, out, err) == (
        1,
        "",
        f"fleet: Conflict: job {job['job_id']} is already cancelled\n",
    )


def test_pause_resume_and_audit(fleet):
    """Pausing twice says so; the audit list shows who and why."""
    assert (
        fleet("pause", "--reason", "noise")[1]
        == "The fleet is paused: no node takes new work until resume.\n"
    )
    assert "(it was already)" in fleet("pause")[1]
    assert fleet("resume")[1] == "The fleet is running: nodes take work.\n"
    assert json.loads(fleet("resume", "--json")[1])["changed"] is False

    _, out, _ = fleet("audit", "list")
    assert "noise" in out
    assert len(out.splitlines()) == 5


def test_nodes_are_listed(fleet):
    """Nodes with their states."""
    _, out, _ = fleet("nodes", "list")

    assert [line.split()[0] for line in out.splitlines()] == ["node", "alpha", "beta"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ["jobs", "submit", "--scenario", "nonsense", "--count", "1"],
            "Invalid value: unknown scenario nonsense\n       Known: mixed, ",
        ),
        (
            ["jobs", "submit", "--scenario", "mixed", "--count", "0"],
            "Invalid value: count must be at least 1, not 0\n       How many conversations",
        ),
        (["jobs", "show", "seven"], "Invalid value: job_id must be a UUID, not 'seven'"),
        (
            ["export", "lex", "--out", "x.zip", "--scenario", "nonsense"],
            "Invalid value: unknown scenario nonsense\n       Known: ",
        ),
        (["pause", "--reason", ""], "Invalid value: reason must be a text that is not empty"),
    ],
)
def test_refusal_is_told_with_its_remedy(fleet, tmp_path, monkeypatch, argv, said):
    """What the API refuses, and below it what to do, on standard error, with exit code 1."""
    monkeypatch.chdir(tmp_path)
    code, out, err = fleet(*argv)

    assert (code, out) == (1, "")
    assert err.startswith(f"fleet: {said}")
    assert list(tmp_path.glob("x.zip*")) == []


def test_silent_api_names_the_front_door(fleet):
    """When nothing listens, the remedy is ./fleet up."""
    url = f"http://127.0.0.1:{free_port()}/api/v1"
    code, _, err = fleet("jobs", "list", url=url)

    assert code == 1
    assert err == (
        f"fleet: the control API at {url} does not answer\n"
        "       `./fleet up` starts it, `./fleet status` shows its state.\n"
    )


def test_beginning_of_an_id_stands_for_the_whole(fleet):
    """As a table on a terminal shows it."""
    job = json.loads(fleet("jobs", "submit", "--scenario", "mixed", "--count", "1", "--json")[1])

    assert fleet("jobs", "cancel", job["job_id"][:8])[0] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("ada/invite", "'ada/invite' is not"), ("..", "'..' is not"), ("ada?x=1", "not be 'ada?x=1'")],
)
def test_name_leads_to_no_other_route(fleet, name, said):
    """What stands in a path is one part of it."""
    assert said in fleet("users", "show", name)[2]


def test_wrong_command_line_is_not_a_refusal(fleet):
    """Exit code 2, which argparse gives."""
    with pytest.raises(SystemExit, match="2"):
        fleet("jobs", "dance")


def test_wrong_token_is_said(fleet):
    """A token that is none is named, not shown."""
    code, _, err = fleet("jobs", "list", token="wrong-token")

    assert (code, "unknown, expired or revoked" in err, "wrong-token" in err) == (1, True, False)


def test_export_writes_one_whole_file(fleet, write_conversation, tmp_path):
    """The archive is there, valid and alone; the closing sentence counts."""
    for _ in range(3):
        write_conversation()
    out = tmp_path / "x.zip"
    code, said, err = fleet("export", "lex", "--out", str(out))

    assert (code, err) == (0, "")
    assert said.startswith(f"Wrote 3 conversations with 6 turns to {out}; ")
    assert "needs at least 1000 turns" in said
    assert [p.name for p in tmp_path.glob("x.zip*")] == ["x.zip"]
    with zipfile.ZipFile(out) as archive:
        assert len(archive.namelist()) == 4


def test_export_as_json_tells_the_counts(fleet, write_conversation, tmp_path):
    """For programs: the manifest without its list of files."""
    write_conversation()
    answer = json.loads(fleet("export", "lex", "--out", str(tmp_path / "x.zip"), "--json")[1])

    assert (answer["conversations"], answer["turns"], "files" in answer) == (1, 2, False)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "is a folder; name a file in it"),
        ("none/x.zip", "does not exist; make it"),
        ("file/x.zip", "cannot be written"),
    ],
)
def test_unwritable_path_is_said(fleet, tmp_path, path, said):
    """A folder, a missing folder, a file in the way: one sentence, nothing left behind."""
    (tmp_path / "file").write_text("keep")
    code, _, err = fleet("export", "lex", "--out", str(tmp_path / path))

    assert code == 1
    assert said in err
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


def test_full_disk_is_said(fleet, tmp_path):
    """No space left: said so, and what was there before stays."""
    (tmp_path / "full.part").symlink_to("/dev/full")
    (tmp_path / "full").write_text("before")
    code, _, err = fleet("export", "lex", "--out", str(tmp_path / "full"))

    assert code == 1
    assert "no space is left" in err
    assert (tmp_path / "full").read_text() == "before"


@pytest.fixture
def serve_bytes():
    """A server that answers every request with given bytes and a content length."""

    def serve(body, length=None):
        class Handler(QuietHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(length or len(body)))
                self.end_headers()
                self.wfile.write(body)

        return running.enter_context(serving(listen(Handler)))

    with ExitStack() as running:
        yield serve


def make_zip(path, manifest):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "{}")
        archive.writestr("manifest.json", json.dumps(manifest))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"conversations": 2, "files": []}, "has 1 files, its manifest says 2"),
        ({"conversations": 1, "files": [{"name": "a.json", "sha256": "0"}]}, "a.json is damaged"),
        ({}, "not a complete export"),
    ],
)
def test_archive_that_differs_from_its_manifest_is_refused(
    serve_bytes, tmp_path, capsys, manifest, said
):
    """Wrong count, wrong sum, no manifest: nothing is kept."""
    url = serve_bytes(make_zip(tmp_path / "source", manifest))
    code = main(["export", "lex", "--out", str(tmp_path / "x.zip")], Place({}, url, "t"))

    assert code == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.glob("x.zip*")) == []


@pytest.mark.parametrize(
    ("length", "said"), [(10_000, "was cut off"), (None, "not a complete export")]
)
def test_cut_stream_is_refused(serve_bytes, tmp_path, capsys, length, said):
    """A connection that ends early, or half an archive, leaves no file."""
    body = make_zip(tmp_path / "source", {"conversations": 1, "files": []})[:50]
    code = main(
        ["export", "lex", "--out", str(tmp_path / "x.zip")],
        Place({}, serve_bytes(body, length), "t"),
    )

    assert code == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.glob("x.zip*")) == []


def test_other_server_is_no_control_api(serve_bytes, capsys):
    """Something else at the address is said so."""
    assert main(["jobs", "list"], Place({}, serve_bytes(b"<html>"), "t")) == 1
    assert "does not answer in JSON" in capsys.readouterr().err


def test_jobs_are_steered_from_the_command_line(fleet, tmp_path):
    """Batch, dry run, pause, move, retry, and a change of several after a look."""
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([{"scenario": "complaint", "count": 2}] * 2))
    jobs = json.loads(fleet("jobs", "batch", str(file), "--json")[1])["jobs"]
    job, other = (each["job_id"] for each in jobs)
    weights = ["--scenario", "complaint=3,lab_results=1", "--count", "9"]

    assert "no machine that is on" in fleet("jobs", "submit", *weights, "--dry-run")[1]
    assert "is paused" in fleet("jobs", "pause", job, "--reason", "noise")[1]
    assert "goes on" in fleet("jobs", "resume", job)[1]
    assert "has rank -1 in priority 5" in fleet("jobs", "move", other, "before", job)[1]
    assert "is pending" in fleet("jobs", "retry", job)[1]
    told = json.loads(fleet("jobs", "update", "cancel", "--scenario", "complaint", "--json")[1])
    assert told["count"] == 2
    change = ("jobs", "update", "cancel", "--scenario", "complaint", "--confirm", told["confirm"])
    assert fleet(*change)[1].endswith("2 jobs changed.\n")
    assert "this would change 0 jobs" in fleet(*change)[2]


@pytest.mark.parametrize(("content", "said"), [("{", "is not valid JSON"), (None, "be read")])
def test_unreadable_batch_is_said(fleet, tmp_path, content, said):
    """A file that is none, or no JSON, is one sentence."""
    file = tmp_path / "orders.json"
    if content is not None:
        file.write_text(content)

    code, _, err = fleet("jobs", "batch", str(file))

    assert (code, said in err) == (1, True)
