-- Calls to model servers by minute and hour: by outcome, tokens, and the pace of those that succeeded.
-- given
INSERT INTO telemetry.llm_requests
  (time, node, request_id, model, prompt_tokens, completion_tokens, duration_seconds, time_to_first_token_seconds, outcome)
VALUES
  (ago(2), 'generation', gen_random_uuid(), 'tiny', 100, 40, 2, 0.5, 'ok'),
  (ago(2) + interval '9 seconds', 'generation', gen_random_uuid(), 'tiny', 100, 10, 1, 0.1, 'ok'),
  (ago(2) + interval '20 seconds', 'generation', gen_random_uuid(), 'tiny', 50, 1, 1, NULL, 'aborted'),
  (ago(2) + interval '30 seconds', 'generation', gen_random_uuid(), 'big', 0, 0, 9, NULL, 'error'),
  (ago(2) + interval '2 minutes', 'generation', gen_random_uuid(), 'tiny', 100, 90, 3, 0.3, 'invalid');
-- settle
-- expect
SELECT time - ago(2), model, samples, ok_requests, aborted_requests, invalid_requests, error_requests, prompt_tokens_sum,
  completion_tokens_sum, tokens_per_second_avg, round(time_to_first_token_seconds_avg::numeric, 3)
FROM analytics.generation_1m WHERE node = 'generation' ORDER BY time, model;
-- | 0:00:00 | big | 1 | 0 | 0 | 0 | 1 | 0 | 0 | NULL | NULL |
-- | 0:00:00 | tiny | 3 | 2 | 1 | 0 | 0 | 250 | 51 | 15.0 | 0.300 |
-- | 0:02:00 | tiny | 1 | 0 | 0 | 1 | 0 | 100 | 90 | NULL | 0.300 |
-- expect
SELECT model, samples, ok_requests, prompt_tokens_sum, completion_tokens_sum, duration_seconds_avg, duration_seconds_max
FROM analytics.generation_1h WHERE node = 'generation' ORDER BY model;
-- | big | 1 | 0 | 0 | 0 | 9.0 | 9.0 |
-- | tiny | 4 | 2 | 350 | 141 | 1.75 | 3.0 |
