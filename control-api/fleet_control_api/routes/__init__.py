"""One module, one blueprint a resource; each route says by its decorator who may use it."""
