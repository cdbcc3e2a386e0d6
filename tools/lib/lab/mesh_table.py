# SPDX-License-Identifier: Apache-2.0
"""A mesh's table of any size, as a control plane would fill it: ten workloads behind each service."""

import json

_OF_SERVICE = 10


def _ip(first, number):
    return "%d.%d.%d.%d" % (first, number >> 16, number >> 8 & 255, number & 255)


def _service(number):
    """Its name, namespace and hostname."""
    name, space = "app-%d" % number, "ns-%d" % (number % 100)
    return name, space, "%s.%s.svc.cluster.local" % (name, space)


def _workload(number):
    app, space, hostname = _service(number // _OF_SERVICE)
    name = "%s-7f9c5d8b6-%05x" % (app, number)
    return {"uid": "Kubernetes//Pod/%s/%s" % (space, name), "name": name, "namespace": space,
            "serviceAccount": app, "trustDomain": "cluster.local", "workloadIps": [_ip(10, number)],
            "protocol": "HBONE", "node": "node-%d" % (number % 500), "clusterId": "Kubernetes",
            "workloadName": app, "workloadType": "deployment", "canonicalName": app,
            "canonicalRevision": "latest",
            "locality": {"region": "region-1", "zone": "zone-%d" % (number % 3), "subzone": ""},
            "services": {"%s/%s" % (space, hostname): {"80": 8080}}}


def workloads(count):
    return [_workload(number) for number in range(count)]


def services(count):
    """Those of so many workloads."""
    found = []
    for number in range(-(-count // _OF_SERVICE)):
        name, space, hostname = _service(number)
        found.append({"name": name, "namespace": space, "hostname": hostname,
                      "vips": ["/" + _ip(11, number)], "ports": {"80": 8080}})
    return found


def write(path, count, local):
    """A table of so many workloads, and of `local`."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps({"workloads": workloads(count) + [local],
                               "services": services(count)}))
