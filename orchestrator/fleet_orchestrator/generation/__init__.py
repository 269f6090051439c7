"""Write conversations: scenarios, personas, prompts, the call to the model server."""
