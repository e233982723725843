"""Prints the table of costs in production.md: list prices of us-east-1 in US dollars, per month."""

REQUEST, GB_SECOND = 0.20e-6, 0.0000133334  # Lambda, arm64
HTTP_API, SQS, LIST, LOGS_GB = 1.00e-6, 0.40e-6, 0.005 / 1000, 0.50
MINUTES = 60 * 24 * 30
OBJECTS = 20_000  # of a tenant
MEASUREMENTS = 96 * 30  # of a tenant
TENANTS_PER_MESSAGE = 25


def invocation(seconds, gb):
    return REQUEST + seconds * gb * GB_SECOND


def schedules(_tenants, _millions):
    # relay-events, measure-usage, reconcile-tenants and check-health, every minute.
    return MINUTES * (3 * invocation(0.2, 0.5) + invocation(0.5, 1))


def measuring(tenants, _millions):
    messages = tenants * MEASUREMENTS / TENANTS_PER_MESSAGE
    # Sent in batches of ten; received and deleted.
    return messages * (invocation(0.04 * TENANTS_PER_MESSAGE, 0.5) + SQS * 2.1)


def listing(tenants, _millions):
    return tenants * 30 * -(-OBJECTS // 1000) * LIST


def requests(_tenants, millions):
    return millions * 1e6 * (HTTP_API + invocation(0.05, 0.25) + 1e-6 * LOGS_GB)


def fixed(_tenants, _millions):
    alarms, metrics, secrets, endpoint, nat = 60 * 0.10, 15 * 0.30, 7 * 0.40, 2 * 0.01 * 730, 2 * 0.045 * 730
    return alarms + metrics + secrets + endpoint + nat


ROWS = [
    ("schedules, each minute", "43,200 × 4 invocations", schedules),
    ("measuring, every 15 minutes", "T × 2,880 ÷ 25 messages", measuring),
    ("listing objects, daily", "T × 30 × ⌈objects ÷ 1,000⌉ requests", listing),
    ("requests", "R × (API Gateway + Lambda + logs)", requests),
    ("alarms, metrics, secrets, endpoint, two NAT gateways", "fixed", fixed),
]
SIZES = [(1_000, 0.3), (10_000, 3), (100_000, 30)]


def row(name, formula, costs):
    print(f"| {name} | {formula} | " + " | ".join(f"${cost:,.2f}" for cost in costs) + " |")


for name, formula, cost in ROWS:
    row(name, formula, [cost(*size) for size in SIZES])
row("**sum**", "R = 0.3, 3, 30", [sum(cost(*size) for _, _, cost in ROWS) for size in SIZES])
