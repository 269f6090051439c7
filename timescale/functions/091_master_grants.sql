-- The master does its upkeep through one function that asks whether it leads; the steps themselves are not granted.
GRANT EXECUTE ON FUNCTION fleet.lead(uuid), fleet.stop_leading(uuid), fleet.do_upkeep(uuid, bigint, text), fleet.tell_round(uuid, bigint, text),
  fleet.setting(text, text)
TO fleet_master;
GRANT EXECUTE ON FUNCTION fleet.set_node_calendar(text, jsonb) TO fleet_control;
