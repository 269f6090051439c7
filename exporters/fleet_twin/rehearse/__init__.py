"""`fleet twin rehearse`: do to a twin what people and bad luck do to a fleet, and see it seen."""
