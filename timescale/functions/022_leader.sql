-- Which master leads, and the upkeep that only the leader may do.
CREATE OR REPLACE FUNCTION fleet.lead(p_master_id uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_before fleet.leader;
  v_now timestamptz := clock_timestamp();
BEGIN
  -- Where it is locked, a master is at work: nobody waits for it, and nobody takes over meanwhile.
  SELECT * INTO v_before FROM fleet.leader FOR UPDATE SKIP LOCKED;
  IF NOT FOUND OR (v_before.master_id IS DISTINCT FROM p_master_id AND v_before.lease_until >= v_now) THEN
    RETURN NULL;
  END IF;
  UPDATE fleet.leader SET master_id = p_master_id,
    lease_until = v_now + make_interval(secs => fleet.setting('leader_lease_seconds'));
  IF v_before.master_id = p_master_id THEN
    RETURN v_before.epoch;
  END IF;
  UPDATE fleet.leader SET epoch = v_before.epoch + 1, leading_since = v_now,
    failed_over_at = CASE WHEN v_before.master_id IS NULL THEN failed_over_at ELSE v_now END;
  IF v_before.master_id IS NULL THEN
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'info', 'leader_changed',
      format('A master leads now (term %s)%s.', v_before.epoch + 1,
        CASE WHEN v_before.epoch > 0 THEN '; the one before it gave the lead up' ELSE '' END));
  ELSE
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'warning', 'node_failover',
      format('A standby master leads now (term %s): the one before it has not renewed its lease, which ended %s s ago.',
        v_before.epoch + 1, round(extract(epoch FROM v_now - v_before.lease_until), 1)));
  END IF;
  RETURN v_before.epoch + 1;
END $$;
COMMENT ON FUNCTION fleet.lead(uuid) IS 'Take or keep the leader lease; returns the epoch, or NULL while another master leads.';

CREATE OR REPLACE FUNCTION fleet.stop_leading(p_master_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE fleet.leader SET lease_until = NULL, master_id = NULL WHERE master_id = p_master_id;
$$;
COMMENT ON FUNCTION fleet.stop_leading(uuid) IS 'A master that ends gives the lease up at once; nothing happens for any other.';

CREATE OR REPLACE FUNCTION fleet.hold_lead(p_master_id uuid, p_epoch bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM fleet.leader l WHERE l.master_id = p_master_id AND l.epoch = p_epoch FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'master % does not lead term % any more', p_master_id, p_epoch
      USING ERRCODE = 'FL002', HINT = 'Another one has taken over; stand by.';
  END IF;
END $$;
COMMENT ON FUNCTION fleet.hold_lead(uuid, bigint) IS
  'Lock the lead for the rest of the transaction; FL002 for anybody but the leader of that term, as for one that was asleep when another took over.';

CREATE OR REPLACE FUNCTION fleet.do_upkeep(p_master_id uuid, p_epoch bigint, p_step text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_done bigint := 0;
BEGIN
  PERFORM fleet.hold_lead(p_master_id, p_epoch);
  CASE p_step
    WHEN 'sweep_tasks' THEN v_done := fleet.sweep_tasks();
    WHEN 'sweep_judgements' THEN v_done := fleet.sweep_judgements();
    WHEN 'split_jobs' THEN v_done := fleet.split_jobs();
    WHEN 'settle_jobs' THEN v_done := fleet.settle_jobs();
    WHEN 'expire_commands' THEN v_done := fleet.expire_commands();
    WHEN 'fold_counts' THEN v_done := fleet.fold_counts();
    WHEN 'watch_nodes' THEN v_done := fleet.watch_nodes();
    WHEN 'keep_levels' THEN v_done := telemetry.upkeep();
    WHEN 'note_storage' THEN PERFORM telemetry.note_storage();
    ELSE
      RAISE EXCEPTION 'unknown step of the upkeep %', quote_nullable(p_step) USING ERRCODE = 'check_violation';
  END CASE;
  -- It may have taken as long as the lease.
  UPDATE fleet.leader SET lease_until = clock_timestamp() + make_interval(secs => fleet.setting('leader_lease_seconds'));
  RETURN v_done;
END $$;
COMMENT ON FUNCTION fleet.do_upkeep(uuid, bigint, text) IS
  'One step of the upkeep by the leader of a term, in one transaction with the proof that it leads; renews the lease. Returns how much was done. FL002 when another one leads.';

CREATE OR REPLACE FUNCTION fleet.tell_round(p_master_id uuid, p_epoch bigint, p_sentence text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_round bigint;
BEGIN
  PERFORM fleet.hold_lead(p_master_id, p_epoch);
  INSERT INTO fleet.master_rounds (epoch, sentence) VALUES (p_epoch, p_sentence) RETURNING round_id INTO v_round;
  DELETE FROM fleet.master_rounds WHERE round_id <= v_round - 1000;
END $$;
COMMENT ON FUNCTION fleet.tell_round(uuid, bigint, text) IS 'The leader tells in a sentence what it has done and why; the last 1000 are kept. FL002 when another one leads.';
