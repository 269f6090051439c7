"""What callers send and receive: pydantic models, and how requests become them."""
