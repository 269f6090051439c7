-- Copies of earlier conversations: the same words, nearly the same words, or those of the worked example.
CREATE OR REPLACE FUNCTION fleet.store_sketch(
  p_conversation uuid, p_worker uuid, p_method text, p_words integer[], p_bands integer[], p_example_similarity double precision
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.current_node();
  PERFORM FROM fleet.conversations c WHERE c.conversation_id = p_conversation
    AND (c.state <> 'unjudged' OR c.judging_worker_id = p_worker);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'conversation % is not held by this worker', p_conversation USING ERRCODE = 'FL001';
  END IF;
  INSERT INTO fleet.sketches AS s (conversation_id, method, words, bands, example_similarity)
  SELECT c.conversation_id, p_method, p_words, p_bands, p_example_similarity
  FROM fleet.conversations c WHERE c.conversation_id = p_conversation AND c.state <> 'rejected'
  ON CONFLICT (conversation_id) DO UPDATE SET method = excluded.method, words = excluded.words, bands = excluded.bands,
    example_similarity = excluded.example_similarity;
END $$;
COMMENT ON FUNCTION fleet.store_sketch(uuid, uuid, text, integer[], integer[], double precision) IS
  'Store what a conversation is compared by: one that the worker holds, before its verdict, or an accepted one anew.';

CREATE OR REPLACE FUNCTION fleet.stale_sketches(p_method text, p_limit integer)
RETURNS TABLE (conversation_id uuid, definition jsonb, persona jsonb, turns jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
  PERFORM fleet.current_node();
  RETURN QUERY
  -- In two parts, so that the index on method is read and not the table.
  WITH stale AS (
    (SELECT s.conversation_id FROM fleet.sketches s WHERE s.method < p_method LIMIT p_limit)
    UNION ALL (SELECT s.conversation_id FROM fleet.sketches s WHERE s.method > p_method LIMIT p_limit)
  )
  SELECT c.conversation_id, n.definition, c.persona,
    (SELECT jsonb_agg(jsonb_build_object('speaker', u.speaker, 'text', u.text_scrubbed) ORDER BY u.position)
     FROM fleet.turns u WHERE u.task_id = c.task_id)
  FROM stale JOIN fleet.conversations c USING (conversation_id) JOIN fleet.scenarios n ON n.scenario = c.scenario
  WHERE c.state = 'accepted' LIMIT p_limit;
END $$;
COMMENT ON FUNCTION fleet.stale_sketches(text, integer) IS
  'Accepted conversations whose bands were not made by this method, with all that a sketch needs; texts are the scrubbed ones.';

CREATE OR REPLACE FUNCTION fleet.find_near_copy(
  p_words integer[], p_bands integer[], p_similarity_min double precision, OUT conversation_id uuid, OUT similarity double precision
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_words double precision := cardinality(p_words);
BEGIN
  WITH candidates AS MATERIALIZED (
    SELECT s.conversation_id, s.words FROM fleet.sketches s
    -- Of sets that differ more in size no pair is similar enough.
    WHERE s.bands && p_bands AND cardinality(s.words) BETWEEN v_words * p_similarity_min AND v_words / p_similarity_min
  ), compared AS (
    SELECT k.conversation_id, count(*) / (min(cardinality(k.words)) + v_words - count(*)) AS similarity
    FROM candidates k CROSS JOIN LATERAL unnest(k.words) AS theirs (word) JOIN unnest(p_words) AS ours (word) USING (word)
    GROUP BY k.conversation_id
  )
  SELECT m.conversation_id, m.similarity INTO conversation_id, similarity
  FROM compared m JOIN fleet.conversations c USING (conversation_id)
  WHERE m.similarity >= p_similarity_min AND c.state = 'accepted' ORDER BY m.similarity DESC, c.created_at LIMIT 1;
END $$;
COMMENT ON FUNCTION fleet.find_near_copy(integer[], integer[], double precision) IS
  'The accepted conversation that is most similar to one with these words, if at least so similar; only those that share a band are looked at.';

CREATE OR REPLACE FUNCTION fleet.find_duplicate(p_conversation uuid, p_content_hash bytea) RETURNS fleet.duplicate
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_sketch fleet.sketches;
  v_found fleet.duplicate;
BEGIN
  -- One after the other until the end of the transaction: of two copies that are judged at once the second sees the first.
  PERFORM pg_advisory_xact_lock(hashtext('fleet.duplicates'));
  v_found.stages := '{exact}';
  SELECT c.conversation_id INTO v_found.earlier_conversation_id FROM fleet.conversations c
  WHERE c.content_hash = p_content_hash AND c.state = 'accepted';
  IF FOUND THEN
    v_found.reason := 'exact_duplicate';
    v_found.similarity := 1;
    v_found.evidence := 'same text as conversation ' || v_found.earlier_conversation_id;
    RETURN v_found;
  END IF;
  SELECT * INTO v_sketch FROM fleet.sketches s WHERE s.conversation_id = p_conversation;
  IF cardinality(v_sketch.bands) > 0 THEN
    v_found.stages := v_found.stages || 'minhash'::text;
    SELECT n.conversation_id, n.similarity INTO v_found.earlier_conversation_id, v_found.similarity
    FROM fleet.find_near_copy(v_sketch.words, v_sketch.bands, fleet.setting('duplicate_similarity_min')) n;
    IF v_found.similarity IS NOT NULL THEN
      v_found.reason := 'near_duplicate';
      v_found.evidence := format('%s of the words of conversation %s', round(v_found.similarity::numeric, 2), v_found.earlier_conversation_id);
      RETURN v_found;
    END IF;
  ELSE
    PERFORM fleet.bump_counter(fleet.current_node(), 'fleet_quality_stages_skipped_total', '{"stage": "minhash"}', 1);
  END IF;
  IF v_sketch.example_similarity IS NOT NULL THEN
    v_found.stages := v_found.stages || 'example'::text;
    IF v_sketch.example_similarity >= fleet.setting('example_similarity_min') THEN
      v_found.reason := 'example_duplicate';
      v_found.similarity := v_sketch.example_similarity;
      v_found.evidence := format('%s of the words of the worked example', round(v_found.similarity::numeric, 2));
    END IF;
  END IF;
  RETURN v_found;
END $$;
COMMENT ON FUNCTION fleet.find_duplicate(uuid, bytea) IS
  'Whether a conversation that passed the checks is a copy: of an accepted one (same words, then nearly the same by its sketch), or of the worked example. Holds a lock until the end of the transaction.';

CREATE OR REPLACE FUNCTION fleet.keep_sketch(p_conversation uuid, p_state fleet.conversation_state) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_state = 'accepted' THEN
    INSERT INTO fleet.sketches (conversation_id) VALUES (p_conversation) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM fleet.sketches WHERE conversation_id = p_conversation;
  END IF;
END $$;
COMMENT ON FUNCTION fleet.keep_sketch(uuid, fleet.conversation_state) IS
  'Keep the sketch of an accepted conversation, an empty one where none was stored, and drop that of a rejected one.';
