-- Weights of scenarios: asked for by settings, and what really came of them.
CREATE OR REPLACE FUNCTION fleet.scenario_weight(p_scenario text) RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(fleet.setting('scenario_weight_' || p_scenario), (SELECT s.weight FROM fleet.scenarios s WHERE s.scenario = p_scenario));
$$;
COMMENT ON FUNCTION fleet.scenario_weight(text) IS 'The setting scenario_weight_SCENARIO, or the weight that the scenario came with.';

CREATE OR REPLACE FUNCTION fleet.scenario_mix() RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_mix jsonb;
BEGIN
  SELECT jsonb_object_agg(s.scenario, s.weight) INTO v_mix
  FROM (SELECT s.scenario, fleet.scenario_weight(s.scenario) AS weight FROM fleet.scenarios s) s WHERE s.weight > 0;
  IF v_mix IS NULL THEN
    RAISE EXCEPTION 'a mixed job needs a scenario with a weight above 0' USING ERRCODE = 'check_violation',
      HINT = 'Raise one of the settings scenario_weight_SCENARIO, or order one scenario by name.';
  END IF;
  RETURN v_mix;
END $$;
COMMENT ON FUNCTION fleet.scenario_mix() IS 'The weights of a mixed job ordered now: all scenarios above 0. Errors: all weights are 0.';
