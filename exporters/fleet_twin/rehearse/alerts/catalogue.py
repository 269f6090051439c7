"""All drills, and the alerts of which there is none, with the reason."""

from __future__ import annotations

from fleet_twin.rehearse.alerts import machines, models, programs, watchers, work

DRILLS = (
    *watchers.DRILLS,
    *machines.DRILLS,
    *models.DRILLS,
    *work.DRILLS,
    *programs.DRILLS,
    *watchers.LAST,
    *programs.LAST,
    *models.LAST,
    *work.LAST,
)
#: Alerts that no fault of a twin can fire, and why.
NOT_REHEARSED = {
    "CertificateExpiring": "a twin serves plain HTTP on its own machine and shows no certificate",
}
