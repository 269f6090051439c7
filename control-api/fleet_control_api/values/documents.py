"""Problems, the OpenAPI document, runbooks, and what Grafana's graphite source asks."""

from __future__ import annotations

from typing import Any

from pydantic import Field, RootModel

from fleet_control_api.values.fields import AlertName, Answer, Request


class Problem(Answer):
    """Why a request was not served (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What failed, with the value.")
    instance: str = Field(description="The path of the request.")
    remedy: str | None = Field(None, description="What to do about it.")


class OpenApi(RootModel[dict[str, Any]]):
    """An OpenAPI 3.1 document."""


class Series(RootModel[list[dict[str, Any]]]):
    """Series of graphite; always none."""


class Version(Answer):
    """A version of graphite."""

    version: str


class Alert(Request):
    """Which alert."""

    alert: AlertName = Field(description="The name of the alert.")
