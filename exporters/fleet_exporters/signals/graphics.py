"""
Find the process that draws most on an NVIDIA card and belongs neither to the desktop nor to us.

By hand: `nvidia-smi pmon -c 1`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import psutil

from fleet_exporters.collectors.gpu.nvml import load_nvml
from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import SensorError
from fleet_exporters.signals import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Draw all the time without being a game: display servers, compositors, shells, browsers, ourselves.
DESKTOP = frozenset({
    "xorg", "xwayland", "gnome-shell", "mutter", "kwin_x11", "kwin_wayland", "plasmashell", "sway",
    "hyprland", "weston", "gamescope-session", "cinnamon", "xfwm4", "picom", "compton",
    "dwm.exe", "explorer.exe", "csrss.exe", "searchhost.exe", "shellexperiencehost.exe",
    "startmenuexperiencehost.exe", "textinputhost.exe", "applicationframehost.exe",
    "firefox", "firefox-esr", "firefox.exe", "chrome", "chrome.exe", "chromium", "msedge",
    "msedge.exe", "brave", "brave.exe", "opera", "opera.exe", "code", "code.exe", "electron",
    "steamwebhelper", "steamwebhelper.exe", "lm studio", "lm studio.exe", "lm-studio", "ollama",
    "ollama.exe", "llama-server", "llama-server.exe", "discord", "discord.exe", "slack",
})  # fmt: skip


def name_process(pid: int) -> str:
    """Return a process's name; empty when it has ended or is hidden."""
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def is_desktop(name: str) -> bool:
    """Tell whether a name is that of a desktop program, or of nobody."""
    return not name or name.lower() in DESKTOP


def average(samples: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Return the mean share by process of (pid, share) samples."""
    shares: dict[int, list[float]] = {}
    for pid, share in samples:
        shares.setdefault(pid, []).append(share)
    return {pid: sum(values) / len(values) for pid, values in shares.items()}


class Graphics:
    """Keeps NVML open, and remembers up to where each card's samples have been read."""

    def __init__(
        self,
        is_ours: Callable[[int], bool],
        load: Callable[[], Any] = load_nvml,
        name: Callable[[int], str] = name_process,
    ) -> None:
        self._is_ours = is_ours
        self._load = load
        self._name = name
        self._nvml: Any = None
        self._seen: dict[int, int] = {}

    def read(self) -> Signals:
        """
        Return the foreign process that draws most, and its share of its card.

        Unknown where the driver does not tell shares. Raises NoDevice without a card or driver.
        """
        if self._nvml is None:
            self._nvml = self._load()
        nvml = self._nvml
        try:
            cards = range(nvml.nvmlDeviceGetCount())
            answers = command.ask_each(cards, partial(self._ask_card, nvml))
        except (nvml.NVMLError, SensorError) as exc:
            self._nvml = None  # opened anew at the next reading
            raise SensorError(f"NVML does not report who draws: {exc}") from exc
        known = [answer for answer in answers if answer is not None]
        share, process = max((pair for answer in known for pair in answer), default=(0.0, ""))
        if not process and len(known) < len(answers):
            return Signals()
        return Signals(graphics_process=process, graphics_ratio=share)

    def _ask_card(self, nvml: Any, index: int) -> list[tuple[float, str]] | None:
        """Return who draws on a card; None if its driver cannot tell. Raises SensorError."""
        try:
            return self._read_card(nvml, index)
        except nvml.NVMLError as exc:
            if exc.value in (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND):
                return None
            raise SensorError(str(exc)) from exc  # nobody draws on a card that is lost

    def _read_card(self, nvml: Any, index: int) -> list[tuple[float, str]]:
        """Return (share, name) of each foreign, non-desktop process that draws on a card."""
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        drawing = {info.pid for info in nvml.nvmlDeviceGetGraphicsRunningProcesses(device)}
        names = {pid: self._name(pid) for pid in drawing if not self._is_ours(pid)}
        players = {pid: name for pid, name in names.items() if not is_desktop(name)}
        if not players:
            return []
        samples = self._read_samples(nvml, device, index)
        shares = average((s.pid, s.smUtil / 100) for s in samples if s.pid in players)
        return [(share, players[pid]) for pid, share in shares.items()]

    def _read_samples(self, nvml: Any, device: Any, index: int) -> list[Any]:
        try:
            samples = list(nvml.nvmlDeviceGetProcessUtilization(device, self._seen.get(index, 0)))
        except nvml.NVMLError as exc:
            if exc.value == nvml.NVML_ERROR_NOT_FOUND:  # nobody has used the card since
                return []
            raise
        newest = [sample.timeStamp for sample in samples]
        self._seen[index] = max(newest, default=self._seen.get(index, 0))
        return samples
