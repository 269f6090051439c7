"""
A stand-in for the part of Grafana's HTTP API that keeps folders, data sources and dashboards.

Its answers are those of Grafana's documentation: versions count up, secrets are never given back,
an outdated version is refused with 412, a provisioned dashboard with 400.
"""

from __future__ import annotations

import base64
import json

from fix_http import QuietHandler, listen

TOKEN = "glsa_the-token"
LOGIN = ("root", "pass:word")


class KeptGrafana:
    """What it keeps; tests change it as people in a browser would."""

    def __init__(self, version="12.4.0"):
        self.version = version
        self.folders, self.sources, self.dashboards = {}, {}, {}
        self.settings = {"security": {}, "server": {"root_url": "http://localhost:3000/"}}
        self.is_admin = True
        self.writes = []
        self.server = listen(lambda *a: _Handler(self, *a))

    def edit(self, uid, **changes):
        """Save a dashboard as Grafana's own editor does: fields that it does not know are gone."""
        kept = self.dashboards[uid]
        known = {k: v for k, v in kept["dashboard"].items() if k != "fleetPush"}
        version = known["version"] + 1
        kept["dashboard"] = {**known, **changes, "version": version}
        kept["meta"] = {**kept["meta"], "updatedBy": "ada", "updated": "2026-11-28T12:00:00Z"}


class _Handler(QuietHandler):
    def __init__(self, grafana, *arguments):
        self.grafana = grafana
        super().__init__(*arguments)

    def tell(self, code, content):
        self.reply(code, json.dumps(content).encode())

    def is_known(self):
        basic = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()
        return self.headers["Authorization"] in {f"Bearer {TOKEN}", basic}

    def do_GET(self):
        kind, _, name = self.path.removeprefix("/api/").rpartition("/")
        if not self.is_known():
            self.tell(401, {"message": "Invalid username or password"})
        elif self.path == "/api/frontend/settings":
            self.tell(200, {"buildInfo": {"version": self.grafana.version}})
        elif self.path == "/api/admin/settings":
            may = self.grafana.is_admin
            self.tell(200 if may else 403, self.grafana.settings if may else {"message": "no"})
        else:
            kept = {
                "folders": self.grafana.folders,
                "datasources/uid": self.grafana.sources,
                "dashboards/uid": self.grafana.dashboards,
            }[kind]
            self.tell(200 if name in kept else 404, kept.get(name, {"message": "not found"}))

    def read(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.grafana.writes.append(f"{self.command} {self.path}")
        return sent

    def do_POST(self):
        sent = self.read()
        if self.path == "/api/folders":
            self.grafana.folders[sent["uid"]] = sent
            self.tell(200, sent)
        elif self.path == "/api/datasources":
            if sent["name"] in {each["name"] for each in self.grafana.sources.values()}:
                self.tell(409, {"message": "data source with the same name already exists"})
                return
            self.keep_source(sent)
        else:
            self.save_dashboard(sent)

    def do_PUT(self):
        self.keep_source(self.read())

    def keep_source(self, sent):
        secrets = dict.fromkeys(sent.pop("secureJsonData"), True)
        self.grafana.sources[sent["uid"]] = {"readOnly": False, **sent, "secureJsonFields": secrets}
        self.tell(200, {})

    def save_dashboard(self, sent):
        uid = sent["dashboard"]["uid"]
        kept = self.grafana.dashboards.get(uid)
        version = kept["dashboard"]["version"] if kept else 0
        if kept and kept["meta"].get("provisioned"):
            self.tell(400, {"message": "Cannot save provisioned dashboard"})
        elif not sent["overwrite"] and sent["dashboard"].get("version", 0) != version:
            self.tell(412, {"message": "changed by someone else", "status": "version-mismatch"})
        else:
            saved = {**sent["dashboard"], "id": 7, "version": version + 1}
            meta = {"folderUid": sent["folderUid"], "updatedBy": "root"}
            self.grafana.dashboards[uid] = {"dashboard": saved, "meta": meta}
            self.tell(200, {"status": "success", "version": version + 1})
