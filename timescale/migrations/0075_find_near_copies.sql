-- What conversations are compared by, and which earlier one a rejected one is a copy of.
CREATE TABLE fleet.sketches (
  conversation_id uuid PRIMARY KEY REFERENCES fleet.conversations,
  method text NOT NULL DEFAULT '',
  words integer[] NOT NULL DEFAULT '{}',
  bands integer[] NOT NULL DEFAULT '{}',
  example_similarity double precision CHECK (example_similarity BETWEEN 0 AND 1)
);
CREATE INDEX sketches_bands ON fleet.sketches USING gin (bands) WITH (fastupdate = off);
CREATE INDEX sketches_method ON fleet.sketches (method);
COMMENT ON TABLE fleet.sketches IS 'What accepted conversations, and those whose verdict is about to be stored, are compared by.';
COMMENT ON COLUMN fleet.sketches.method IS 'How the bands were made; empty where there are none. Bands of two methods never meet.';
COMMENT ON COLUMN fleet.sketches.words IS 'A number for each word with its speaker and the how many-eth time they say it, names masked.';
COMMENT ON COLUMN fleet.sketches.bands IS 'Hashes of bands of MinHash minima over runs of words; who shares one is a candidate.';
COMMENT ON COLUMN fleet.sketches.example_similarity IS 'Similarity, 0 to 1, to the worked example of the prompt.';
COMMENT ON INDEX fleet.sketches_bands IS 'Candidates share a band; kept in order at once, since each verdict asks.';
COMMENT ON INDEX fleet.sketches_method IS 'Those of another method are sketched anew.';
INSERT INTO fleet.sketches (conversation_id) SELECT conversation_id FROM fleet.conversations WHERE state = 'accepted';

CREATE TYPE fleet.duplicate AS (
  reason text, evidence text, earlier_conversation_id uuid, similarity double precision, stages text[]
);
COMMENT ON TYPE fleet.duplicate IS 'What the search for copies found (reason NULL: nothing), and the stages that looked.';

ALTER TABLE fleet.grades ADD COLUMN duplicate_stages text[] NOT NULL DEFAULT '{}'
  CHECK (duplicate_stages <@ '{exact,minhash,example}');
COMMENT ON COLUMN fleet.grades.duplicate_stages IS 'Stages of the search for copies that looked at it: exact, minhash, example.';
ALTER TABLE fleet.rejections
  ADD COLUMN earlier_conversation_id uuid REFERENCES fleet.conversations,
  ADD COLUMN similarity double precision CHECK (similarity BETWEEN 0 AND 1);
COMMENT ON COLUMN fleet.rejections.earlier_conversation_id IS 'The accepted conversation that it is a copy of; NULL for other reasons.';
COMMENT ON COLUMN fleet.rejections.similarity IS 'Similarity, 0 to 1, to that one or to the worked example; NULL for other reasons.';
UPDATE fleet.rejections SET similarity = 1, earlier_conversation_id = substring(evidence FROM '[0-9a-f-]{36}$')::uuid
WHERE reason = 'exact_duplicate';
UPDATE fleet.grades g SET duplicate_stages = '{exact}' FROM fleet.conversations c
WHERE c.conversation_id = g.conversation_id AND (c.state = 'accepted' OR EXISTS (
  SELECT FROM fleet.rejections r WHERE r.conversation_id = g.conversation_id AND r.reason = 'exact_duplicate'));
