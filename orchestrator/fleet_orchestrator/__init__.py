"""Master, node agent and worker: who writes which conversation, and how."""
