"""A session with the client that is generated from the API's description: creates a tenant, waits until it is active, lists
tenants, and reads a problem. The environment contains API_URL, TOKEN and SLUG. Prints what it has seen as JSON."""

import json
import os
import time

from landlord_client import AuthenticatedClient
from landlord_client.api.operations import get_operation
from landlord_client.api.tenants import create_tenant, get_tenant, list_tenants
from landlord_client.models import Country, OperationStatus, TenantRequest, TenantStatus

client = AuthenticatedClient(base_url=os.environ["API_URL"], token=os.environ["TOKEN"], timeout=30)
request = TenantRequest(
    name="Kopi Kenangan",
    slug=os.environ["SLUG"],
    country=Country("ID"),
    admin_email="sari@kopikenangan.example",
    admin_password="tidal-mango-orbit-42",
)
tenant = create_tenant.sync(client=client, body=request, idempotency_key=request.slug)

ended = {OperationStatus.SUCCEEDED, OperationStatus.FAILED}
answer = get_operation.sync_detailed(tenant.operation_id, client=client)
polls = 1
while answer.parsed.status not in ended and polls < 60:
    time.sleep(int(answer.headers["retry-after"]))
    # The answer comes as soon as the operation has changed. 304 means that it has not.
    next_answer = get_operation.sync_detailed(
        tenant.operation_id, client=client, wait=20, if_none_match=answer.headers["etag"]
    )
    answer = next_answer if next_answer.status_code == 200 else answer
    polls += 1
active = get_tenant.sync(tenant.id, client=client)

statuses = [TenantStatus.ACTIVE, TenantStatus.SUSPENDED]
listed = list_tenants.sync_detailed(client=client, status=statuses, search=request.slug, limit=10, count=True)

problem = create_tenant.sync(client=client, body=request)
print(json.dumps({
    "created": tenant.status,
    "operation": answer.parsed.status,
    "polls": polls,
    "active": active.status,
    "listed": [one.slug for one in listed.parsed],
    "total": listed.headers["x-total-count"],
    "problem": [problem.status, problem.type_, problem.title, problem.slug],
}))
