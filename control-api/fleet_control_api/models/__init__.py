"""What callers send and receive, as pydantic models; the OpenAPI document is made of them."""
