-- What workers may do to find copies.
GRANT EXECUTE ON FUNCTION
  fleet.store_sketch(uuid, uuid, text, integer[], integer[], double precision), fleet.stale_sketches(text, integer)
TO fleet_worker;
