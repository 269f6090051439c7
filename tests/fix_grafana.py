"""
A stand-in for Grafana's data-source proxy, over real HTTP, with the header rules of Grafana 12.

It signs X-Grafana-Id with an ES256 key whose public half it serves, strips and adds headers as the
real proxy does, and passes paths on as they came.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.parse
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fix_http import QuietHandler, listen

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

PROXY = "/api/datasources/proxy/uid/fleet-control"
KEY_ID = "id-2026-11-es256"
USERS = {"viewer": "Viewer", "editor": "Editor", "admin": "Admin"}  # the password is the name
SERVICE = "robot"  # a service account with the role Admin
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
DROPPED = {
    "host", "authorization", "cookie", "x-grafana-user", "x-grafana-id", "content-length",
}  # fmt: skip
NOT_RETURNED = {"set-cookie", "connection", "transfer-encoding", "content-length"}


class GrafanaDouble:
    """
    `url` is what browsers see while `server` is serving.

    `upstream` and `secret` are what the data source is given.
    """

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.key_id = KEY_ID
        self.upstream = ""  # http://127.0.0.1:PORT/api/v1/buttons
        self.secret = ""
        self.keys_served = 0
        self.server = listen(_handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.proxy_url = self.url + PROXY

    def keys(self) -> dict:
        """The JWKS that /api/signing-keys/keys serves, without login."""
        self.keys_served += 1
        entry = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**entry, "kid": self.key_id, "alg": "ES256", "use": "sig"}]}

    def claims(self, user: str = "editor", **changed) -> dict:
        """The claims of X-Grafana-Id as seen on a live Grafana; a value of None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/", "aud": "org:1", "sub": f"user:{user}", "type": "user",
            "identifier": user, "namespace": "default", "username": user, "name": user,
            "email": f"{user}@example.org", "authenticatedBy": "password",
            "role": USERS.get(user, "Admin"), "iat": now, "exp": now + 600,
        }  # fmt: skip
        if user == SERVICE:
            claims |= {"type": "service-account", "sub": "service-account:7"}
            del claims["username"]
        return {k: v for k, v in (claims | changed).items() if v is not None}

    def sign(self, claims: dict, *, key=None, key_id: str | None = None, alg: str = "ES256") -> str:
        return jwt.encode(claims, key or self.key, alg, headers={"kid": key_id or self.key_id})


def find_user(authorization: str) -> str | None:
    """Who logs in; as in Grafana's API, by basic authentication."""
    kind, _, value = authorization.partition(" ")
    if kind != "Basic":
        return None
    name, _, password = base64.b64decode(value).decode().partition(":")
    return name if name == password and name in {*USERS, SERVICE} else None


def outgoing(client_headers, grafana: GrafanaDouble, user: str) -> list[tuple[str, str]]:
    """What the upstream sees, in the order in which Grafana's layers act."""
    headers = [
        ("Authorization" if name.lower() == "x-ds-authorization" else name, value)
        for name, value in client_headers.items()
        if name.lower() not in DROPPED | HOP_BY_HOP
    ]
    headers.append(("X-Grafana-Id", grafana.sign(grafana.claims(user))))
    if user != SERVICE:
        headers.append(("X-Grafana-User", user))
    # What a client's Connection header names is taken out after Grafana's own headers went in ...
    named = {name.strip().lower() for name in client_headers.get("Connection", "").split(",")}
    named.add("x-fleet-proxy-secret")
    headers = [(name, value) for name, value in headers if name.lower() not in named]
    # ... but the data source's own header is set later, in the transport, over whatever was there.
    return [*headers, ("X-Fleet-Proxy-Secret", grafana.secret)]


def forward(upstream: str, method: str, path: str, headers, body: bytes):
    """Send the request on, its path as it came; return status, headers and body."""
    target = urllib.parse.urlsplit(upstream)
    connection = http.client.HTTPConnection(target.netloc, timeout=10)
    try:
        connection.putrequest(method, target.path + path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


def _handler(grafana: GrafanaDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def answer(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/api/signing-keys/keys" and self.command == "GET":
                self.reply(200, json.dumps(grafana.keys()).encode())
            elif path.startswith(PROXY + "/"):
                self.proxy(path.removeprefix(PROXY), query)
            else:
                self.reply(404)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815

        def proxy(self, path: str, query: str) -> None:
            user = find_user(self.headers.get("Authorization", ""))
            if user is None:
                self.reply(401, b'{"message":"Unauthorized"}')
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = [*outgoing(self.headers, grafana, user), ("Content-Length", str(len(body)))]
            status, received, data = forward(
                grafana.upstream, self.command, path + (f"?{query}" if query else ""), headers, body
            )
            kept = {k: v for k, v in received if k.lower() not in NOT_RETURNED}
            kept["Content-Security-Policy"] = "sandbox"
            if status == 401:
                self.pass_back(400, kept, b'{"message":"Authentication to data source failed"}')
            else:
                self.pass_back(status, kept, data)

        def pass_back(self, status: int, headers: dict, body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
