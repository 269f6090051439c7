-- The network between nodes: who calls whom, with which key; what they measured; the matrix of it.
CREATE OR REPLACE FUNCTION fleet.peer_key(p_secret bytea, p_window bigint) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT sha256(p_secret || int8send(p_window));
$$;
COMMENT ON FUNCTION fleet.peer_key(bytea, bigint) IS 'Key of a listening agent in one window of ten minutes; that of a caller is made from it and his name.';

CREATE OR REPLACE FUNCTION fleet.announce_peer(p_node text, p_address text, p_scope text, p_held_back text) RETURNS fleet.peer_agents
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_agent fleet.peer_agents;
BEGIN
  IF p_address IS NULL OR p_address !~ '^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$' THEN
    RAISE EXCEPTION '% is no address of an agent', quote_nullable(left(p_address, 300))
      USING ERRCODE = 'check_violation', HINT = 'Use host:port, such as 192.168.1.7:9810.';
  END IF;
  INSERT INTO fleet.peer_agents AS a (node, address, scope, held_back, expires_at, budget_day)
  VALUES (p_node, p_address, left(coalesce(p_scope, ''), 200), left(p_held_back, 40),
    v_now + make_interval(secs => greatest(60, 3 * fleet.setting('peer_round_trip_period_seconds', p_node))), (v_now AT TIME ZONE 'UTC')::date)
  ON CONFLICT (node) DO UPDATE SET address = excluded.address, scope = excluded.scope, held_back = excluded.held_back,
    expires_at = excluded.expires_at, budget_day = excluded.budget_day,
    budget_bytes = CASE WHEN a.budget_day = excluded.budget_day THEN a.budget_bytes ELSE 0 END
  RETURNING * INTO v_agent;
  RETURN v_agent;
END $$;
COMMENT ON FUNCTION fleet.announce_peer(text, text, text, text) IS
  'Note where an agent listens and what holds it back from measuring throughput; a new day brings a new budget.';

CREATE OR REPLACE FUNCTION fleet.callable_peers(p_node text) RETURNS TABLE (
  peer text, address text, secret bytea, is_held_back boolean, called_at timestamptz, throughput_due_at timestamptz
) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.node, a.address, a.secret, a.held_back IS NOT NULL OR a.measuring_until >= clock_timestamp(),
    coalesce(p.called_at, '-infinity'), coalesce(p.throughput_due_at, '-infinity')
  FROM fleet.peer_agents me
  JOIN fleet.peer_agents a ON a.node <> me.node AND a.scope IN ('', me.scope)
  JOIN fleet.nodes n ON n.node = a.node AND n.removed_at IS NULL
  LEFT JOIN fleet.peer_pairs p ON p.node = me.node AND p.peer = a.node
  WHERE me.node = p_node AND a.expires_at > clock_timestamp();
$$;
COMMENT ON FUNCTION fleet.callable_peers(text) IS
  'Agents that a node may call: they said not long ago that they listen, at an address that it can reach.';

CREATE OR REPLACE FUNCTION fleet.choose_receiver(p_agent fleet.peer_agents, p_sends bigint, OUT receiver text, OUT held_back text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_budget double precision := fleet.setting('peer_probe_budget_bytes', p_agent.node);
  v_due text;
  v_is_held_back boolean;
BEGIN
  SELECT c.peer, c.is_held_back INTO v_due, v_is_held_back FROM fleet.callable_peers(p_agent.node) c
  WHERE c.throughput_due_at <= v_now ORDER BY c.is_held_back, c.throughput_due_at, random() LIMIT 1;
  IF v_due IS NULL THEN
    RETURN;
  END IF;
  held_back := CASE
    WHEN p_agent.held_back IS NOT NULL THEN p_agent.held_back
    WHEN p_agent.budget_bytes + p_sends > v_budget THEN 'budget'
    WHEN v_is_held_back OR p_agent.measuring_until >= v_now THEN 'peer' END;
  IF held_back IS NOT NULL THEN
    RETURN;
  END IF;
  receiver := v_due;
  UPDATE fleet.peer_agents SET measuring_until = v_now + interval '25 seconds' WHERE node IN (p_agent.node, receiver);
  UPDATE fleet.peer_agents SET budget_bytes = budget_bytes + p_sends WHERE node = p_agent.node;
  INSERT INTO fleet.peer_pairs AS p (node, peer, called_at, throughput_due_at)
  -- Where all of a period would cost more than its share of the day's budget, each peer has its turn less often.
  SELECT p_agent.node, receiver, v_now, v_now + (0.8 + 0.4 * random()) * make_interval(secs => greatest(
    fleet.setting('peer_probe_period_seconds', p_agent.node), count(*) * p_sends / v_budget * 86400))
  FROM fleet.callable_peers(p_agent.node)
  ON CONFLICT (node, peer) DO UPDATE SET throughput_due_at = excluded.throughput_due_at;
END $$;
COMMENT ON FUNCTION fleet.choose_receiver(fleet.peer_agents, bigint) IS
  'To whom a node sends now, which is entered for both; or why to nobody although it is time (NULL: it is not).';

CREATE OR REPLACE FUNCTION fleet.peer_round(p_address text, p_scope text, p_held_back text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_calls_max constant integer := 5; -- a round, so that what a node calls and stores does not grow with the fleet
  v_node text := fleet.current_node();
  v_now timestamptz := clock_timestamp();
  v_window bigint := floor(extract(epoch FROM v_now) / 600);
  v_block bigint := fleet.setting('peer_probe_bytes', v_node);
  v_agent fleet.peer_agents;
  v_chosen record;
  v_calls jsonb;
BEGIN
  -- One after the other, so that nobody is handed to two at once.
  PERFORM pg_advisory_xact_lock(hashtext('fleet.peer_round'));
  v_agent := fleet.announce_peer(v_node, p_address, p_scope, p_held_back);
  v_chosen := fleet.choose_receiver(v_agent, 65536 + 3 * v_block);
  WITH called AS (
    SELECT c.* FROM fleet.callable_peers(v_node) c
    ORDER BY c.peer IS NOT DISTINCT FROM v_chosen.receiver DESC, c.called_at, random() LIMIT v_calls_max
  ), noted AS (
    INSERT INTO fleet.peer_pairs (node, peer, called_at) SELECT v_node, c.peer, v_now FROM called c
    ON CONFLICT (node, peer) DO UPDATE SET called_at = excluded.called_at
  )
  SELECT jsonb_agg(jsonb_build_object('peer', c.peer, 'address', c.address, 'is_receiver', c.peer IS NOT DISTINCT FROM v_chosen.receiver,
    'key', encode(sha256(fleet.peer_key(c.secret, v_window) || sha256(convert_to(v_node, 'UTF8'))), 'hex')))
  INTO v_calls FROM called c;
  RETURN jsonb_build_object('calls', coalesce(v_calls, '[]'), 'held_back', v_chosen.held_back, 'block_bytes', v_block,
    -- Rounds of caller and listener are not at the same time and may lie in neighbouring windows.
    'keys', (SELECT jsonb_agg(encode(fleet.peer_key(v_agent.secret, w), 'hex')) FROM generate_series(v_window - 1, v_window + 1) w),
    'next_seconds', fleet.setting('peer_round_trip_period_seconds', v_node) * (0.8 + 0.4 * random()));
END $$;
COMMENT ON FUNCTION fleet.peer_round(text, text, text) IS
  'An agent says where it listens and what holds it back; it is told whom to call now and with which key, to whom of them to send, and the keys of those who may call it. Nobody takes part in two measurings of throughput at once.';

CREATE OR REPLACE FUNCTION fleet.record_peers(p_calls jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_now timestamptz := clock_timestamp();
BEGIN
  WITH told AS (
    SELECT v_node AS node, c.* FROM jsonb_to_recordset(p_calls) AS c(
      time timestamptz, peer text, state text, round_trip_seconds double precision,
      throughput_bytes_per_second double precision, is_window_limited boolean, sent_bytes bigint)
    JOIN fleet.peer_pairs p ON p.node = v_node AND p.peer = c.peer
  ), kept AS (
    INSERT INTO telemetry.peers (time, node, peer, state, round_trip_seconds, throughput_bytes_per_second, is_window_limited, sent_bytes)
    SELECT t.time, t.node, t.peer, t.state, t.round_trip_seconds, t.throughput_bytes_per_second, t.is_window_limited, t.sent_bytes
    FROM told t ON CONFLICT DO NOTHING
  )
  UPDATE fleet.peer_pairs p SET measured_at = v_now, state = t.state, round_trip_seconds = t.round_trip_seconds,
    throughput_at = CASE WHEN t.throughput_bytes_per_second IS NULL THEN p.throughput_at ELSE v_now END,
    throughput_bytes_per_second = coalesce(t.throughput_bytes_per_second, p.throughput_bytes_per_second),
    is_window_limited = CASE WHEN t.throughput_bytes_per_second IS NULL THEN p.is_window_limited ELSE t.is_window_limited END
  FROM told t WHERE p.node = t.node AND p.peer = t.peer;
  -- Twenty at most, those that follow the node in the circle of all names: always the same, and each node with as many.
  RETURN (
    SELECT coalesce(jsonb_object_agg(l.peer, jsonb_strip_nulls(jsonb_build_object(
      'round_trip_seconds', l.round_trip_seconds, 'throughput_bytes_per_second', l.throughput_bytes_per_second))), '{}')
    FROM (
      SELECT p.peer, p.round_trip_seconds,
        CASE WHEN p.throughput_at > v_now - interval '2 days' THEN p.throughput_bytes_per_second END AS throughput_bytes_per_second
      FROM fleet.peer_pairs p WHERE p.node = v_node AND p.state = 'ok' AND p.measured_at > v_now - interval '1 hour'
      ORDER BY p.peer < v_node, p.peer LIMIT 20) l);
END $$;
COMMENT ON FUNCTION fleet.record_peers(jsonb) IS
  'Store what a node measured with peers that it was told to call; returns what it publishes of twenty peers at most. Calls that were stored before change nothing.';

CREATE VIEW analytics.peer_bandwidth AS
SELECT p.measured_at AS time, p.node, p.peer, p.state, p.round_trip_seconds, p.throughput_bytes_per_second, p.throughput_at,
  p.is_window_limited
FROM fleet.peer_pairs p
JOIN fleet.nodes n ON n.node = p.node AND n.removed_at IS NULL JOIN fleet.nodes o ON o.node = p.peer AND o.removed_at IS NULL
WHERE p.measured_at IS NOT NULL;

COMMENT ON VIEW analytics.peer_bandwidth IS 'The network between nodes as it was measured last: one row for each node and each peer that it calls.';
COMMENT ON COLUMN analytics.peer_bandwidth.time IS 'When the node last called the peer.';
COMMENT ON COLUMN analytics.peer_bandwidth.node IS 'Machine that called, and sent.';
COMMENT ON COLUMN analytics.peer_bandwidth.peer IS 'Machine that was called, and received.';
COMMENT ON COLUMN analytics.peer_bandwidth.state IS 'How that call ended: ok, unreachable, refused, timeout or broken.';
COMMENT ON COLUMN analytics.peer_bandwidth.round_trip_seconds IS 'Shortest of some ways there and back; NULL where the call did not get through.';
COMMENT ON COLUMN analytics.peer_bandwidth.throughput_bytes_per_second IS 'What the peer received a second, the median of three blocks; NULL before the first measuring.';
COMMENT ON COLUMN analytics.peer_bandwidth.throughput_at IS 'When that was measured: much less often than the round trip.';
COMMENT ON COLUMN analytics.peer_bandwidth.is_window_limited IS 'True where a block is too small for so long a way, so that more may go through than was measured.';

COMMENT ON VIEW analytics.peers IS 'Each call of a node to a peer, for 26 hours; analytics.peer_bandwidth has the last of each.';
COMMENT ON COLUMN analytics.peers.time IS 'When it was called, by the clock of the calling machine.';
COMMENT ON COLUMN analytics.peers.node IS 'Machine that called, and sent.';
COMMENT ON COLUMN analytics.peers.peer IS 'Machine that was called, and received.';
COMMENT ON COLUMN analytics.peers.state IS 'How the call ended: ok, unreachable, refused, timeout or broken.';
COMMENT ON COLUMN analytics.peers.round_trip_seconds IS 'Shortest of some ways there and back, seconds; NULL where the call did not get through.';
COMMENT ON COLUMN analytics.peers.throughput_bytes_per_second IS 'What the peer received a second; NULL where it was not measured.';
COMMENT ON COLUMN analytics.peers.is_window_limited IS 'True where a block is too small for so long a way, so that more may go through than was measured.';
COMMENT ON COLUMN analytics.peers.sent_bytes IS 'Bytes sent to measure throughput; 0 where only the round trip was.';
