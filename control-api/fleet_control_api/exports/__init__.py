"""Files for other systems, made of accepted conversations in their scrubbed form."""
