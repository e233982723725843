"""Values of formats that the description cannot express."""

import itertools
import os
import re
import string
from datetime import date

import schemathesis
from hypothesis import strategies as st

# A line of text without control characters, invisible characters, and surrounding space.
LETTERS = string.ascii_letters + string.digits + "'-.,&()%_\\\"äßçñøЖя中文あ한ابש🙂"
WORDS = st.text(LETTERS, min_size=1, max_size=20)
schemathesis.openapi.format("single-line", st.lists(WORDS, min_size=1, max_size=6).map(" ".join))

# Passwords that are not easy to guess.
PASSWORDS = ["tidal-mango-orbit-42", "Öl und Wasser trennen sich", "seven9Lanterns!drift", "правильный батарейка скоба"]
schemathesis.openapi.format("password", st.sampled_from(PASSWORDS))

# Tags of existing and of other revisions.
schemathesis.openapi.format("entity-tags", st.sampled_from(["*", '"1"', '"2", "3"', '"no revision"']))

# Valid cursors come only from pages of a list.
schemathesis.openapi.format("cursor", st.just(""))

NUMBERS = itertools.count()

# Of the tenants that responses have shown, by id.
SLUGS = {}

# The originals of restored copies, by the id of the copy.
ORIGINALS = {}

SLUG = re.compile("[a-z0-9](-?[a-z0-9]){1,47}")


OWN_ACCOUNT = itertools.cycle([True, False])


def add_reason(case):
    """The role admin and a new password need a reason."""
    body = case.body
    if "/users" in case.path and isinstance(body, dict) and "reason" not in body:
        if body.get("role") == "admin" or (case.method.upper() == "PATCH" and "password" in body):
            body["reason"] = "Looks at what happens to users"


def change_caller(case):
    """Every second change of a super-admin is one of the caller's own account."""
    if (case.method.upper(), case.path) == ("PATCH", "/api/super-admin/admins/{id}") and next(OWN_ACCOUNT):
        case.path_parameters["id"] = os.environ["OWNER"]


def change_tenant(case):
    """Only a suspension has a reason, and a deletion names the slug of its tenant."""
    if case.path != "/api/super-admin/tenants/{id}":
        return
    if case.method.upper() == "PATCH" and isinstance(case.body, dict):
        if {"reason", "comment"} & case.body.keys() and case.body.get("status", "active") == "active":
            case.body["status"] = "suspended"
    elif case.method.upper() == "DELETE" and SLUG.fullmatch(str((case.query or {}).get("confirm") or "slug")):
        case.query = {**(case.query or {}), "confirm": slug_of(str(case.path_parameters["id"]))}


def slug_of(id):
    """As `TestTenant` names the tenant that exists from the beginning."""
    return SLUGS.get(id, "t" + id.replace("-", ""))


def confirm_promotion(case):
    """A promotion names the slug of the original."""
    if case.path == "/api/super-admin/tenants/{id}/promote" and SLUG.fullmatch(str((case.query or {}).get("confirm") or "slug")):
        original = ORIGINALS.get(str(case.path_parameters["id"]))
        if original:
            case.query = {**(case.query or {}), "confirm": slug_of(original)}


def limit_days(case):
    """The first day is before the last one, today unless it is given, and not more than 400 days."""
    if case.path != "/api/super-admin/tenants/{id}/usage/history" or not (case.query or {}).get("since"):
        return
    query = case.query
    try:
        since = date.fromisoformat(query["since"])
        until = date.fromisoformat(query.get("until", query["since"]))
    except (TypeError, ValueError):
        return
    if not 0 <= (until - since).days < 400:
        until = since
    query["until"] = until.isoformat()


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Adds what the description requires in words only."""
    add_reason(case)
    change_caller(case)
    change_tenant(case)
    confirm_promotion(case)
    limit_days(case)
    # A key must not be reused with another body.
    key = (case.headers or {}).get("idempotency-key")
    if isinstance(key, str) and key and len(key) < 200:
        case.headers["idempotency-key"] = f"{key}-{next(NUMBERS)}"


@schemathesis.hook
def after_call(ctx, case, response):
    """Remembers the slugs and the originals of tenants."""
    try:
        body = response.json()
    except ValueError:
        return
    for one in body if isinstance(body, list) else [body]:
        if isinstance(one, dict) and "slug" in one and "id" in one:
            SLUGS[one["id"]] = one["slug"]
            if one.get("restored_from"):
                ORIGINALS[one["id"]] = one["restored_from"]["tenant_id"]
