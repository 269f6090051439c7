"""
A person in front of Grafana: a real browser that opens dashboards, reads them and presses buttons.

It drives the Chromium of the system. A dashboard counts as open when Grafana has answered each
query of each panel and every panel is drawn; how long that takes is the machine's business.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Request

DASHBOARDS = Path(__file__).parents[2] / "grafana" / "dashboards"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE = 1600, 390  # pixels
PROXY = "/api/datasources/proxy/uid/fleet-control"
PATIENCE = 120_000  # milliseconds; a quiet machine draws a dashboard within five seconds
UNIT, FRAME = 38, 500  # pixels: a row of Grafana's grid; its menu, variables and margins
# A button of a canvas that reaches over the edge of its panel cannot be read, or not be hit.
LOOK = """() => [...document.querySelectorAll('[data-viz-panel-key]')].map(panel => {
  const edge = panel.getBoundingClientRect();
  const reachesOver = ({right, bottom}) => right > edge.right || bottom > edge.bottom;
  const buttons = [...panel.querySelectorAll('[role=button] > button')];
  return {
    number: Number(panel.dataset.vizPanelKey.replace('panel-', '')),
    text: panel.innerText,
    has_error: !!panel.querySelector('[data-testid="data-testid Panel status error"]'),
    is_loading: !!panel.querySelector('[aria-label="Panel loading bar"]')
      || panel.innerText.includes('Loading plugin panel'),
    cut: buttons.filter(each => reachesOver(each.getBoundingClientRect())).map(e => e.innerText),
  };
})"""


def find_chromium() -> str | None:
    """Return the path of a Chromium of the system, if there is one."""
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


@contextmanager
def start_browser(chromium: str) -> Iterator[Browser]:
    """Give a browser without a window; its sandbox does not start where we are root."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Panel:
    """A panel as it is drawn; `cut` are the labels of buttons that reach over its edge."""

    number: int
    text: str
    has_error: bool
    is_loading: bool
    cut: list[str]


def read_dashboard(uid: str) -> dict[str, Any]:
    """Return a committed dashboard, its headings left out."""
    dashboard = json.loads((DASHBOARDS / f"{uid}.json").read_text())
    dashboard["panels"] = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    return dashboard


def find_number(uid: str, title: str) -> int:
    """Return the number of a panel by its title."""
    (found,) = (each["id"] for each in read_dashboard(uid)["panels"] if each["title"] == title)
    return found


def measure_height(dashboard: dict[str, Any], width: int) -> int:
    """Return the pixels from top to bottom; only what is in sight is asked for and drawn."""
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    if width < 769:  # one below the other
        return FRAME + UNIT * sum(place["h"] for place in places)
    return FRAME + UNIT * max(place["y"] + place["h"] for place in places)


def find_button(place: Locator, label: str) -> Locator:
    """Return the button of a panel or a row; a canvas wraps each in another, named alike."""
    return place.locator("button").filter(has_text=re.compile(f"^{label}$"))


@dataclass
class Visitor:
    """Who is signed in, and the page that is open; `faults` are the errors of its scripts."""

    browser: Browser
    url: str
    login: str
    password: str
    width: int = WIDE
    uid: str = ""
    faults: list[str] = field(default_factory=list)
    open_queries: set[Request] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)  # numbers of panels

    def __post_init__(self) -> None:
        size = {"width": self.width, "height": 1000}
        self.context = self.browser.new_context(viewport=size, is_mobile=self.width < 769)
        self.context.set_default_timeout(PATIENCE)
        answer = self.context.request.post(
            f"{self.url}/login", data={"user": self.login, "password": self.password}
        )
        assert answer.ok, answer.text()
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._note_query)
        self.page.on("requestfinished", self._note_answer)
        self.page.on("requestfailed", self._note_failure)

    def _note_query(self, request: Request) -> None:
        if "/api/ds/query" in request.url:
            self.open_queries.add(request)

    def _note_answer(self, request: Request) -> None:
        if request in self.open_queries:
            self.open_queries.discard(request)
            self.answered.add(int(request.headers.get("x-panel-id", 0)))

    def _note_failure(self, request: Request) -> None:
        self.open_queries.discard(request)  # Grafana asks anew, or its panel has an error badge

    def open(self, uid: str, height: int = 0, **variables: str) -> list[Panel]:
        """Open a dashboard, as high as it is or as a screen, and return its panels when drawn."""
        dashboard = read_dashboard(uid)
        self.uid = uid
        height = height or measure_height(dashboard, self.width)
        self.page.set_viewport_size({"width": self.width, "height": height})
        query = "".join(f"&var-{name}={value}" for name, value in variables.items())
        self.answered.clear()
        # A refresh would give up queries that a slow machine has not answered.
        self.page.goto(f"{self.url}/d/{uid}?refresh=1h{query}")
        return self.settle(
            {
                panel["id"]
                for panel in dashboard["panels"]
                if UNIT * (panel["gridPos"]["y"] + panel["gridPos"]["h"]) <= height - FRAME
            }
        )

    def close_menu(self) -> None:
        """Have Grafana's menu out of the way, as after a click on its docking button."""
        docked = "localStorage.setItem('grafana.navigation.docked', 'false')"
        self.context.add_init_script(docked)

    def refresh(self) -> list[Panel]:
        """Press Grafana's own Refresh; return the panels that are in sight."""
        shown = {panel.number for panel in self.look()}
        self.answered.clear()
        self.page.get_by_test_id("data-testid RefreshPicker run button").click()
        return self.settle(shown)

    def look(self) -> list[Panel]:
        return [Panel(**each) for each in self.page.evaluate(LOOK)]

    def settle(self, numbers: set[int]) -> list[Panel]:
        """Return the panels when these have their answers and none is still at work."""
        panels: list[Panel] = []
        for _ in range(PATIENCE // 200):
            self.page.wait_for_timeout(200)  # the browser's events come in meanwhile
            panels = self.look()
            drawn = {panel.number for panel in panels if not panel.is_loading}
            if numbers <= drawn & self.answered and not self.open_queries:
                return panels
        late = numbers - self.answered
        raise AssertionError(f"{self.uid}: panels without answer {late}, drawn {drawn}")

    def panel(self, title: str) -> Locator:
        """Return a panel of the open dashboard."""
        return self.page.locator(f'[data-viz-panel-key="panel-{find_number(self.uid, title)}"]')

    def row(self, title: str, link: str) -> Locator:
        """Return the row of a table that links to this; ids stand in links alone."""
        has_link = self.page.locator(f'a[href*="{link}"]')
        return self.panel(title).get_by_role("row").filter(has=has_link)

    def press(self, place: Locator, label: str, *typed: str) -> int:
        """Click a button, fill in what it asks for, consent; return the status of the answer."""
        find_button(place, label).click()
        dialog = self.page.get_by_role("dialog")
        for field_, text in zip(dialog.locator("input").all(), typed, strict=True):
            field_.fill(text)
        dialog.get_by_role("button", name="Continue").click()
        with self.page.expect_response(lambda answer: PROXY in answer.url) as sent:
            dialog.get_by_role("button", name="Confirm").click()
        return sent.value.status

    def has_dialog(self) -> bool:
        return self.page.get_by_role("dialog").count() > 0

    def sees_row(self, title: str, *words: str) -> bool:
        """Refresh; true when a row of a table has all these words."""
        self.refresh()
        rows = self.panel(title).get_by_role("row").all_inner_texts()
        return any(all(word in row for word in words) for row in rows)

    def post(self, path: str, content: Any = None, **arguments: str) -> tuple[int, str]:
        """Send by hand what no button sends, with the session of the browser."""
        answer = self.context.request.post(
            self.url + path, params=arguments, data={} if content is None else content
        )
        return answer.status, answer.text()

    def sql(self, text: str) -> tuple[int, str]:
        """Send SQL by hand, as any reader of a dashboard can; return status and answer."""
        source = {"uid": "fleet-postgres", "type": "grafana-postgresql-datasource"}
        query = {"refId": "A", "datasource": source, "rawSql": text, "format": "table"}
        return self.post("/api/ds/query", {"queries": [query], "from": "now-1h", "to": "now"})

    def photograph(self, path: Path) -> None:
        """Keep a picture of all that is in the window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)
