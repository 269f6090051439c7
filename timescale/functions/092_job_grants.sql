-- What people may do with jobs, besides what 090_grants.sql says.
GRANT EXECUTE ON FUNCTION
  fleet.submit_job(text, integer, text, integer, integer, integer, text, text, bigint, jsonb, bigint, text, integer),
  fleet.submit_order(jsonb, text), fleet.submit_order_once(text, jsonb, text), fleet.estimate_order(jsonb),
  fleet.preview_change(text, jsonb, integer), fleet.change_jobs(text, jsonb, integer, text)
TO fleet_control;
