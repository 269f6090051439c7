"""Small servers of ours, run by the supervisor as `python -m`; they import no other room."""
