"""Every alert fired for real by a fault and cleared; a module a subject lists its DRILLS."""
