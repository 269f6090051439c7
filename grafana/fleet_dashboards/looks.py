"""
How states look, the same on every dashboard: each has a word, so that colour never stands alone.

Columns with one of these looks are made with `override(NAME, mappings=…)`.
"""

from __future__ import annotations

from fleet_dashboards.panels import absent, matching, thresholds, words

# How the headlines of analytics.fleet_now begin.
HEADLINES = [
    matching("/^Writing/", "green"),
    matching("/^Idle/", "blue"),
    matching("/^Waiting/", "#b7950b"),
    matching("/^Paused/", "orange"),
    matching("/^EMERGENCY/", "red"),
    matching("/^No master/", "purple"),
]
SEVERITIES = words(
    critical=("critical", "red"),
    error=("error", "red"),
    warning=("warning", "orange"),
    info=("info", "blue"),
    none=("-", "text"),
)
OUTCOMES = words(done=("done", "green"), refused=("refused", "orange"), failed=("failed", "red"))
NODE_STATES = words(
    online=("online", "green"),
    stale=("stale", "yellow"),
    offline=("offline", "red"),
    off=("off on purpose", "blue"),
)
MODES = words(
    idle=("idle", "green"),
    work=("work", "blue"),
    gaming=("gaming", "purple"),
    throttling=("throttling", "orange"),
)
CONTINUATIONS = words(
    continues=("continues it", "text"),
    starts_over=("starts over", "text"),
    refuses=("refuses it", "text"),
) + absent("not asked")
JOB_STATES = words(
    pending=("pending", "blue"),
    running=("running", "green"),
    paused=("paused", "orange"),
    done=("done", "text"),
    failed=("failed", "red"),
    cancelled=("cancelled", "text"),
)
WORKER_STATES = words(
    running=("running", "green"),
    restarting=("restarting", "blue"),
    draining=("finishes, then stops", "orange"),
    stopped=("stopped by people", "orange"),
)
COMMAND_STATES = words(
    requested=("asked", "blue"),
    acknowledged=("begun", "blue"),
    done=("done", "green"),
    failed=("failed", "red"),
    expired=("too late", "orange"),
)
SERVER_STATES = words(
    ready=("ready", "green"),
    loading=("loading", "blue"),
    unloaded=("unloaded", "blue"),
    no_model=("lacks the model", "red"),
    wedged=("fails each call", "red"),
    unreachable=("does not answer", "red"),
)
LINES = words(
    fast=("fast", "green"),
    fair=("fair", "yellow"),
    slow=("slow", "orange"),
    broken=("no way", "red"),
    unmeasured=("not measured", "text"),
)
VERDICTS = words(accepted=("accepted", "green"), rejected=("rejected", "orange"))

# green < 70, yellow 70-80, red > 80. Grafana's steps begin at their number, so that 80 itself,
# which is yellow still, needs a mapping.
HEAT = thresholds("green", (70, "yellow"), (80, "red"))
HEAT_BOUNDARY = [
    {
        "type": "range",
        "options": {"from": 80, "to": 80, "result": {"index": 0, "color": "yellow"}},
    }
]
SHARE = {
    "unit": "percentunit",
    "decimals": 0,
    "min": 0,
    "max": 1,
    "mappings": absent("no reading"),
}
KEPT = thresholds("red", (0.5, "yellow"), (0.8, "green"))  # shares of what is to be much
MEMORY_FULL = thresholds("green", (0.85, "yellow"), (0.95, "red"))
GIBIBYTE = 1024**3
DISK_FREE = thresholds("red", (5 * GIBIBYTE, "yellow"), (20 * GIBIBYTE, "green"))
