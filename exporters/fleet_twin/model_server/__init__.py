"""An OpenAI-compatible model server for each machine of the twin, all of them in one process."""
