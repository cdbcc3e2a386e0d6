# SPDX-License-Identifier: Apache-2.0
"""The mesh part of tools/demo: three pods, two of them with a node, and what becomes of their traffic.

    mesh_demo.py CULVERT

Needs root: network namespaces on a bridge and iptables, which are removed in the end.
"""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lab import pods  # noqa: E402
from lab.wait import until  # noqa: E402

PORT, IPERF_PORT = 8080, 5201
DENIED = {"name": "no-batch", "namespace": "shop", "scope": "Namespace", "action": "Deny",
          "dryRun": False, "rules": [[[{"serviceAccounts": [
              {"namespace": "shop", "serviceAccount": "batch"}]}]]]}


def say(text):
    print("\n== " + text, flush=True)


def curl(source, target):
    status, output = source.curl("http://%s:%d/hello.txt" % (target, PORT))
    print("curl: %s" % output.strip(), flush=True)
    return status == 0


def show(pod, *wanted):
    print("%s's node: %s" % (pod.name, pod.wait_log(*wanted).strip()), flush=True)


def iperf(source, server):
    server.start("iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    until(lambda: b":%d" % IPERF_PORT in subprocess.run(
        server.command("ss", "-Hltn"), stdout=subprocess.PIPE, check=False).stdout, 10, "iperf3")
    done = subprocess.run(
        source.command("iperf3", "-c", server.ip, "-t", "3", "-f", "m"), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False)
    print("".join(line + "\n" for line in done.stdout.splitlines()
                  if line.endswith(("sender", "receiver")) or "error" in line), end="", flush=True)
    return done.returncode == 0


def wire(path):
    with open(path, "rb") as file:
        packets = file.read()
    plain = [text for text in ("GET /hello", "hello from") if text.encode() in packets]
    print("%d bytes of packets at the pod's interface; plaintext of the request in them: %s"
          % (len(packets), ", ".join(plain) or "none"), flush=True)
    return packets and not plain


def tell(mesh, folder):
    """Returns whether all came as it should."""
    web, cart, batch, outside = (mesh.add(name) for name in ("web", "cart", "batch", "outside"))
    mesh.table([mesh.workload(name) for name in ("web", "cart", "batch")], [DENIED])
    for pod in (cart, outside):
        pod.serve_files(PORT, folder)
    for pod in (web, cart, batch):
        pod.start_node()
    say("pods: web %s, cart %s and batch %s, each with `culvert node`; outside %s has none"
        % (web.ip, cart.ip, batch.ip, outside.ip))

    say("web asks cart; its connection is redirected to the node, which makes a tunnel")
    packets = os.path.join(folder, "packets")
    capture = cart.capture(packets)
    good = curl(web, cart.ip)
    show(web, 'direction="outbound"', cart.ip)
    show(cart, 'direction="inbound"')
    capture.kill()
    good &= wire(packets)

    say("batch asks cart; the policy shop/no-batch denies it")
    good &= not curl(batch, cart.ip)
    show(batch, 'direction="outbound"', cart.ip)
    show(cart, 'direction="inbound"', "no-batch")

    say("web asks a host outside the mesh, which is passed through")
    good &= curl(web, outside.ip)
    show(web, 'direction="outbound"', outside.ip)

    say("iperf3 from web to cart, through the tunnel")
    good &= iperf(web, cart)
    show(web, 'direction="outbound"', ":%d" % IPERF_PORT)
    return good


def main():
    why = pods.available()
    if why:
        print("\nThe mesh is left out: %s." % why)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "hello.txt"), "w", encoding="utf-8") as file:
            file.write("hello from inside the mesh\n")
        with pods.Pods(os.path.abspath(sys.argv[1]), folder) as mesh:
            good = tell(mesh, folder)
    say("all as it should be" if good else "something is not as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
