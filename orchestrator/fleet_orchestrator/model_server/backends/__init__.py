"""
What differs between kinds of model servers: models, slots, health, unloading. One kind, one file.

All of them write conversations in the same way, by their OpenAI-compatible routes; see `endpoint`.
"""
