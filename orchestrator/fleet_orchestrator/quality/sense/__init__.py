"""Whether a call makes sense, without a model: one module a theme, precision before recall."""
