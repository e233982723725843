"""Deploys infra/template.yaml to the emulator, as `sam deploy --config-env prod` would, and prints the deployed functions.

Usage: deploy.py ENDPOINT REPOSITORY BINARIES [PARAMETER=VALUE…]

The parameters are those of samconfig.toml. Only those are replaced that name the network, the brokers and the alarms of the real
environment, and the secrets contain the addresses of the local servers, from the variables that `cargo dev env` prints. Can be
repeated; then it updates the stack.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from samtranslator.yaml_helper import yaml_parse

ENDPOINT, REPOSITORY, BINARIES, OVERRIDES = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
ARTIFACTS = "artifacts"

# Variables of the local environment that have another name in the secret of a privilege.
LOGINS = {
    ("ApiSecret", "POSTGRES_URL"): "POSTGRES_API_URL",
    ("ProvisionerSecret", "POSTGRES_URL"): "POSTGRES_PROVISIONER_URL",
    ("KafkaSecret", "username"): "KAFKA_SASL_USERNAME",
    ("KafkaSecret", "password"): "KAFKA_SASL_PASSWORD",
}

# What only an account of AWS has.
STAND_INS = {
    "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "SecurityGroupIds": "sg-0123456789abcdef0",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms",
}


def client(service):
    return boto3.client(service, endpoint_url=ENDPOINT)


def parameters(settings):
    """The parameters of samconfig.toml, with local stand-ins."""
    chosen = dict(override.split("=", 1) for override in settings["parameter_overrides"])
    chosen["Architecture"] = "arm64" if os.uname().machine == "aarch64" else "x86_64"
    for name, value in STAND_INS.items():
        # samconfig.toml has a placeholder.
        if name in chosen:
            chosen[name] = value
    for name, default in [
        ("KafkaBrokers", None),
        ("KafkaTopic", None),
        ("KafkaSecurityProtocol", "sasl_ssl"),
        ("KafkaSaslMechanism", "SCRAM-SHA-512"),
        ("RedisCaFile", ""),
        ("KafkaCaFile", ""),
    ]:
        chosen[name] = os.environ.get(variable(name)) or default
    if not os.environ.get("KAFKA_SASL_USERNAME"):
        chosen["KafkaSecret"] = ""
    return chosen | dict(override.split("=", 1) for override in OVERRIDES)


def variable(parameter):
    """The environment variable with the name of a parameter: KAFKA_TOPIC for KafkaTopic."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parameter).upper()


def store_secrets(text, template, chosen):
    """Creates the secrets and the parameters of the Parameter Store that the template refers to."""
    secrets = {}
    for parameter, key in re.findall(r"secretsmanager:\$\{(\w+)\}:SecretString:(\w+)\}\}", text):
        value = os.environ.get(LOGINS.get((parameter, key), key), "")
        if chosen.get(parameter):
            secrets.setdefault(chosen[parameter], {})[key] = value
    manager, store = client("secretsmanager"), client("ssm")
    for name, value in secrets.items():
        try:
            manager.create_secret(Name=name, SecretString=json.dumps(value))
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=name, SecretString=json.dumps(value))
    for name, parameter in template["Parameters"].items():
        if parameter["Type"].startswith("AWS::SSM::Parameter::Value"):
            store.put_parameter(Name=chosen[name], Value=os.environ[variable(name)], Type="String", Overwrite=True)


def package(name):
    """Uploads a function as `sam package` does, without its debug information."""
    archive = io.BytesIO()
    program = BINARIES / name
    # `cargo dev build` gives each function a folder.
    program = program / "bootstrap" if program.is_dir() else program
    with tempfile.NamedTemporaryFile() as bootstrap, zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        subprocess.run(["strip", "-o", bootstrap.name, program], check=True)
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        file.writestr(entry, Path(bootstrap.name).read_bytes())
    client("s3").put_object(Bucket=ARTIFACTS, Key=name, Body=archive.getvalue())
    return {"Bucket": ARTIFACTS, "Key": name}


def upload_functions(template):
    """Uploads each function and refers to it in the template. Returns the names of the functions."""
    functions = {
        resource["Properties"]["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    with ThreadPoolExecutor(4) as pool:
        for properties, location in zip(functions.values(), pool.map(package, functions)):
            properties["CodeUri"] = location
    return list(functions)


def convert_numbers(template, chosen):
    """Does what CloudFormation does by itself, and the emulator does not: a number becomes text where a property is text, and
    text becomes a number where it is a number. Otherwise the emulator cannot start functions and mappings."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        variables = properties.get("Environment", {}).get("Variables", {})
        for key, value in variables.items():
            if isinstance(value, dict) and "Fn::FindInMap" in value:
                variables[key] = {"Fn::Join": ["", [value]]}
        for event in properties.get("Events", {}).values():
            scaling = event.get("Properties", {}).get("ScalingConfig", {})
            for key, value in scaling.items():
                if isinstance(value, dict) and "Ref" in value:
                    name = value["Ref"]
                    scaling[key] = int(chosen.get(name, template["Parameters"][name].get("Default")))


def leave_out_the_unknown(template):
    """Leaves out what the emulator does not know: AWS CodeDeploy, so that releases are not gradual (aliases and versions stay), and
    alarms on expressions of metrics."""
    template["Resources"] = {
        name: resource
        for name, resource in template["Resources"].items()
        if not (resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"])
    }
    template["Globals"]["Function"].pop("DeploymentPreference", None)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"].pop("DeploymentPreference", None)


def deploy(stack, template, chosen, settings):
    """Creates or updates the stack by a change set. Returns its final status."""
    client("s3").put_object(Bucket=ARTIFACTS, Key="template", Body=json.dumps(template))
    formation = client("cloudformation")
    exists = any(found["StackName"] == stack for found in formation.describe_stacks()["Stacks"])
    change = {"StackName": stack, "ChangeSetName": f"change-{time.time_ns()}"}
    formation.create_change_set(
        **change,
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateURL=f"{ENDPOINT}/{ARTIFACTS}/template",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in chosen.items()],
        Capabilities=[settings["capabilities"], "CAPABILITY_AUTO_EXPAND"],
    )
    formation.get_waiter("change_set_create_complete").wait(**change, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    formation.execute_change_set(**change)
    while (status := formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]).endswith("_IN_PROGRESS"):
        time.sleep(0.2)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        for event in formation.describe_stack_events(StackName=stack)["StackEvents"]:
            if "FAILED" in event["ResourceStatus"]:
                print(event["LogicalResourceId"], event.get("ResourceStatusReason"), file=sys.stderr)
        sys.exit(f"The deployment ended with {status}")
    return status


def main():
    text = (REPOSITORY / "infra/template.yaml").read_text()
    template = yaml_parse(text)
    settings = tomllib.loads((REPOSITORY / "samconfig.toml").read_text())["prod"]["deploy"]["parameters"]
    stack, chosen = settings["stack_name"], parameters(settings)
    client("s3").create_bucket(Bucket=ARTIFACTS)
    store_secrets(text, template, chosen)
    functions = upload_functions(template)
    convert_numbers(template, chosen)
    leave_out_the_unknown(template)
    status = deploy(stack, template, chosen, settings)
    resources = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    statuses = [summary["ResourceStatus"] for page in resources for summary in page["StackResourceSummaries"]]
    deployed = {}
    for name in functions:
        configuration = client("lambda").get_function_configuration(FunctionName=f"{stack}-{name}")
        deployed[name] = configuration["Environment"]["Variables"]
    print(json.dumps({"stack": stack, "status": status, "resources": statuses, "environments": deployed}))


main()
