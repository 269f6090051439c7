"""Calls as the twin's models write them, copies planted among them, and their sketches."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, replace

from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.quality.scrub import scrub
from fleet_orchestrator.quality.sketch import SPEAKERS, Method, make_sketch
from fleet_twin.model_server.speech.speaker import Call, speak
from prompts import SCENARIOS, Order, make_order

METHOD = Method(shingle_words=2, permutations=256)  # the defaults
SIMILARITY_MIN = 0.67
LENGTHS = (6, 8, 8, 12)
PUT = """
WITH put AS (
  INSERT INTO fleet.conversations (conversation_id, task_id, job_id, node, model, scenario,
    prompt_id, persona, state, turns, prompt_tokens, completion_tokens, judged_by, judged_at)
  VALUES (%(id)s, gen_random_uuid(), gen_random_uuid(), 'alpha', 'm', %(scenario)s, 1, '{}',
    'accepted', 1, 0, 0, 'alpha', now()))
INSERT INTO fleet.sketches (conversation_id, method, words, bands)
VALUES (%(id)s, %(method)s, %(words)s, %(bands)s)"""


@dataclass(frozen=True)
class Spoken:
    """A call and its words."""

    scenario: str
    order: Order
    texts: list[str]

    @property
    def scrubbed(self):
        return [scrub(text, self.order.persona) for text in self.texts]

    @property
    def sketch(self):
        turns = [{"speaker": SPEAKERS[place % 2]} for place in range(len(self.texts))]
        persona, definition = self.order.persona, self.order.definition
        return make_sketch(turns, self.scrubbed, persona, definition, METHOD)


def draw_calls(count, seed=7, lengths=LENGTHS):
    """Yield so many different calls, their scenarios in turn."""
    draw = random.Random(seed)
    for number in range(count):
        scenario = SCENARIOS[number % len(SCENARIOS)]
        order = make_order(scenario, draw.getrandbits(40), draw.choice(lengths))
        values, texts = order.persona["values"], []
        call = Call(tuple(order.outline), values["mood"], values["manner"])
        for index in range(order.turns):
            texts.append(speak(call, index, texts, draw))
        yield Spoken(scenario, order, texts)


def rename(spoken, seed=99):
    """The same text about other people of another company."""
    other = make_persona(spoken.order.definition, seed)
    ours, theirs = spoken.order.persona["values"], other["values"]
    names = [*other["personal"], "company"]
    values = ours | {name: theirs[name] for name in names}
    pairs = [(ours[name], theirs[name]) for name in names]
    first = (ours["customer_name"].split()[0], theirs["customer_name"].split()[0])
    whole = "\n".join(spoken.texts)
    for old, new in [*pairs, first]:
        whole = whole.replace(old, new)
    order = replace(spoken.order, persona=spoken.order.persona | {"values": values})
    return replace(spoken, order=order, texts=whole.split("\n"))


def change_words(spoken, share, vocabulary, draw):
    """Other words at so many places, drawn from all calls."""
    texts = [
        " ".join(
            draw.choice(vocabulary) if draw.random() < share else word for word in text.split()
        )
        for text in spoken.texts
    ]
    return replace(spoken, texts=texts)


def reorder(spoken, draw):
    """The exchanges between the first and the last in another order."""
    pairs = [spoken.texts[place : place + 2] for place in range(0, len(spoken.texts), 2)]
    middle = pairs[1:-1]
    draw.shuffle(middle)
    return replace(spoken, texts=[text for pair in [pairs[0], *middle, pairs[-1]] for text in pair])


def plant(calls, draw):
    """Return copies of these calls by kind."""
    vocabulary = [word for spoken in calls for text in spoken.texts for word in text.split()]
    return {
        "other names": [rename(spoken) for spoken in calls],
        "turns reordered": [reorder(rename(spoken), draw) for spoken in calls],
        "5 % of words changed": [
            change_words(rename(spoken), 0.05, vocabulary, draw) for spoken in calls
        ],
        "15 % of words changed": [
            change_words(rename(spoken), 0.15, vocabulary, draw) for spoken in calls
        ],
    }


def put(connection, scenario, sketch):
    """Store an accepted conversation with this sketch as the owner; return its id."""
    made = uuid.uuid4()
    connection.execute(
        PUT,
        {"id": made, "scenario": scenario, "method": sketch.method, "words": sketch.words,
         "bands": sketch.bands},
    )  # fmt: skip
    return made


def find(connection, sketch):
    """Return the accepted conversation that this is a near copy of, and the similarity."""
    row = connection.execute(
        "SELECT conversation_id, similarity FROM fleet.find_near_copy(%s::int[], %s::int[], %s)",
        [sketch.words, sketch.bands, SIMILARITY_MIN],
    ).fetchone()
    return row["conversation_id"], row["similarity"]
