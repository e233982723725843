"""Values that a description can name but not describe."""

import itertools
import os
import string

import schemathesis
from hypothesis import strategies as st

# A line that people read: no control characters and no invisible ones, nothing to be trimmed.
LETTERS = string.ascii_letters + string.digits + "'-.,&()%_\\\"äßçñøЖя中文あ한ابש🙂"
WORDS = st.text(LETTERS, min_size=1, max_size=20)
schemathesis.openapi.format("single-line", st.lists(WORDS, min_size=1, max_size=6).map(" ".join))

# Passwords that are not easy to guess.
PASSWORDS = ["tidal-mango-orbit-42", "Öl und Wasser trennen sich", "seven9Lanterns!drift", "правильный батарейка скоба"]
schemathesis.openapi.format("password", st.sampled_from(PASSWORDS))

# What was given for something that is there, and what is given for nothing.
schemathesis.openapi.format("entity-tags", st.sampled_from(["*", '"1"', '"2", "3"', '"no revision"']))

# Only a page of a list gives a cursor.
schemathesis.openapi.format("cursor", st.just(""))

NUMBERS = itertools.count()


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Makes a key that is sent with another body another key, as whoever sends one has to."""
    key = (case.headers or {}).get("idempotency-key")
    if isinstance(key, str) and key and len(key) < 200:
        case.headers["idempotency-key"] = f"{key}-{next(NUMBERS)}"


@schemathesis.hook
def filter_case(ctx, case):
    """Leaves alone the operator in whose name everything is asked."""
    return (case.path_parameters or {}).get("id") != os.environ["OWNER"]
