-- Quality: take unjudged conversations under a lease, store one verdict each.
CREATE OR REPLACE FUNCTION fleet.claim_judgements(p_worker uuid, p_limit integer) RETURNS TABLE (
  conversation_id uuid, scenario text, definition jsonb, persona jsonb, min_turns integer, max_turns integer,
  template text, turns jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  PERFORM fleet.current_node();
  PERFORM pg_advisory_xact_lock_shared(hashtext('fleet.claim'));
  IF fleet.is_stopped() THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH next AS (
    SELECT c.conversation_id FROM fleet.conversations c
    WHERE c.state = 'unjudged' AND c.judging_attempts < fleet.setting('task_attempts_max')
      AND (c.judging_until IS NULL OR c.judging_until < clock_timestamp())
    ORDER BY c.created_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE fleet.conversations c SET judging_worker_id = p_worker, judging_attempts = c.judging_attempts + 1,
      judging_until = clock_timestamp() + make_interval(secs => fleet.setting('lease_seconds'))
    FROM next WHERE c.conversation_id = next.conversation_id RETURNING c.*
  )
  SELECT k.conversation_id, k.scenario, s.definition, k.persona, j.min_turns, j.max_turns, p.template,
    (SELECT jsonb_agg(jsonb_build_object('speaker', u.speaker, 'text', u.text) ORDER BY u.position)
     FROM fleet.turns u WHERE u.task_id = k.task_id)
  FROM taken k JOIN fleet.jobs j USING (job_id) JOIN fleet.scenarios s ON s.scenario = k.scenario
    JOIN fleet.prompts p USING (prompt_id);
END $$;
COMMENT ON FUNCTION fleet.claim_judgements(uuid, integer) IS 'Lease unjudged conversations, oldest first, with all that the checks need; none after an emergency stop.';

CREATE OR REPLACE FUNCTION fleet.count_verdict(
  p_node text, p_scenario text, p_reason text, p_checks_passed integer, p_checks_total integer
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.bump_counter(p_node, 'fleet_conversations_total',
    jsonb_build_object('scenario', p_scenario, 'outcome', CASE WHEN p_reason IS NULL THEN 'accepted' ELSE 'rejected' END), 1);
  PERFORM fleet.bump_counter(p_node, 'fleet_quality_checks_total', '{"outcome": "passed"}', p_checks_passed);
  PERFORM fleet.bump_counter(p_node, 'fleet_quality_checks_total', '{"outcome": "failed"}', p_checks_total - p_checks_passed);
  IF p_reason IS NOT NULL THEN
    PERFORM fleet.bump_counter(p_node, 'fleet_rejections_total', jsonb_build_object('reason', p_reason), 1);
  END IF;
END $$;
COMMENT ON FUNCTION fleet.count_verdict(text, text, text, integer, integer) IS
  'Count a judged conversation of the node that judged it: accepted where p_reason is NULL, its checks, the reason of its rejection.';

CREATE OR REPLACE FUNCTION fleet.store_verdict(
  p_conversation uuid, p_worker uuid, p_reason text, p_stage text, p_evidence text,
  p_content_hash bytea, p_scrubbed text[], p_judge text, p_checks_passed integer, p_checks_total integer,
  p_healthcare jsonb DEFAULT NULL
) RETURNS fleet.conversation_state LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_conversation fleet.conversations;
  v_duplicate fleet.duplicate;
  v_state fleet.conversation_state;
BEGIN
  SELECT * INTO v_conversation FROM fleet.conversations c
  WHERE c.conversation_id = p_conversation AND c.judging_worker_id = p_worker FOR UPDATE;
  IF v_conversation.conversation_id IS NULL THEN
    RAISE EXCEPTION 'conversation % is not held by this worker', p_conversation USING ERRCODE = 'FL001';
  ELSIF v_conversation.state <> 'unjudged' THEN
    RETURN v_conversation.state;
  END IF;
  IF cardinality(p_scrubbed) <> v_conversation.turns THEN
    RAISE EXCEPTION '% scrubbed texts for % turns', cardinality(p_scrubbed), v_conversation.turns
      USING ERRCODE = 'check_violation';
  END IF;
  IF p_reason IS NULL THEN
    v_duplicate := fleet.find_duplicate(p_conversation, p_content_hash);
    IF v_duplicate.reason IS NOT NULL THEN
      p_reason := v_duplicate.reason;
      p_stage := 'duplicate';
      p_evidence := v_duplicate.evidence;
      p_checks_passed := p_checks_passed - 1;
    END IF;
  END IF;
  v_state := CASE WHEN p_reason IS NULL THEN 'accepted' ELSE 'rejected' END;
  UPDATE fleet.turns u SET text_scrubbed = s.text FROM unnest(p_scrubbed) WITH ORDINALITY AS s(text, position)
  WHERE u.task_id = v_conversation.task_id AND u.position = s.position;
  UPDATE fleet.conversations SET state = v_state, content_hash = p_content_hash, judging_until = NULL,
    judged_by = v_node, judged_at = clock_timestamp() WHERE conversation_id = p_conversation;
  INSERT INTO fleet.grades (conversation_id, judge, checks_passed, checks_total, healthcare_valid, duplicate_stages)
  VALUES (p_conversation, p_judge, p_checks_passed, p_checks_total, (p_healthcare->>'valid')::boolean, coalesce(v_duplicate.stages, '{}'));
  INSERT INTO fleet.healthcare_violations (conversation_id, rule, position)
  SELECT p_conversation, b.rule, b.position
  FROM jsonb_to_recordset(p_healthcare->'violations') AS b (rule text, position integer) ON CONFLICT DO NOTHING;
  IF v_state = 'rejected' THEN
    INSERT INTO fleet.rejections (conversation_id, reason, stage, evidence, earlier_conversation_id, similarity)
    VALUES (p_conversation, p_reason, p_stage, p_evidence, v_duplicate.earlier_conversation_id, v_duplicate.similarity);
  END IF;
  PERFORM fleet.keep_sketch(p_conversation, v_state);
  PERFORM fleet.count_verdict(v_node, v_conversation.scenario, p_reason, p_checks_passed, p_checks_total);
  RETURN v_state;
END $$;
COMMENT ON FUNCTION fleet.store_verdict(uuid, uuid, text, text, text, bytea, text[], text, integer, integer, jsonb) IS
  'unjudged -> accepted (p_reason NULL and no copy of another) or rejected with one reason; scrubbed texts in turn order; p_healthcare has valid (or null) and violations, each a rule and a position. A repeated call returns the first verdict.';

CREATE OR REPLACE FUNCTION fleet.sweep_judgements() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  v_conversation fleet.conversations;
  v_count integer := 0;
BEGIN
  FOR v_conversation IN
    SELECT c.* FROM fleet.conversations c
    WHERE c.state = 'unjudged' AND c.judging_attempts >= fleet.setting('task_attempts_max')
      AND c.judging_until < clock_timestamp() ORDER BY c.node, c.scenario FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE fleet.conversations SET state = 'rejected', judging_until = NULL, judged_at = clock_timestamp(),
      judged_by = v_conversation.node WHERE conversation_id = v_conversation.conversation_id;
    INSERT INTO fleet.grades (conversation_id, judge, checks_passed, checks_total)
    VALUES (v_conversation.conversation_id, 'none', 0, 1);
    INSERT INTO fleet.rejections (conversation_id, reason, stage, evidence)
    VALUES (v_conversation.conversation_id, 'judge_failed', 'checks',
      format('the checks failed %s times; the log of the worker says why', v_conversation.judging_attempts));
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'error', 'judge_failed',
      format('Conversation %s could not be judged and is rejected.', v_conversation.conversation_id), v_conversation.node);
    PERFORM fleet.count_verdict(v_conversation.node, v_conversation.scenario, 'judge_failed', 0, 1);
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $$;
COMMENT ON FUNCTION fleet.sweep_judgements() IS
  'Reject what the checks could not judge in task_attempts_max attempts, so that a job comes to its end; its turns stay unread.';
