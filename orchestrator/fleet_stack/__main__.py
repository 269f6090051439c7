"""`python -m fleet_stack`: what the front door `./fleet` hands over to."""

from __future__ import annotations

import sys

from fleet_stack.cli import main

sys.exit(main())
