-- What node agents and people may do with commands and with who speaks for a node.
GRANT EXECUTE ON FUNCTION
  fleet.open_commands(), fleet.acknowledge_command(uuid), fleet.finish_command(uuid, text, text),
  fleet.hold_node(text, text), fleet.own_standing(), fleet.scrape_hashes(), fleet.may_run()
TO fleet_worker;
GRANT EXECUTE ON FUNCTION
  fleet.request_command(text, text, text, text, double precision), fleet.invite_node(bytea, text, interval),
  fleet.join_node(bytea, uuid, text, text, text), fleet.remove_node(text, text, text), fleet.end_sessions(text),
  fleet.put_scrape_token(bytea, bytea), fleet.is_scrape_token_due(), fleet.emergency_stop(text, text)
TO fleet_control;
