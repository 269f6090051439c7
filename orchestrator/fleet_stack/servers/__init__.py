"""Small servers of ours that the supervisor runs: the model server and the mail catcher."""
