# SPDX-License-Identifier: Apache-2.0
"""The lab's authority as Istio's certificate service, over gRPC and TLS at 127.0.0.1.

    python issuer.py AUTHORITY.pem FOLDER PORT

AUTHORITY.pem is the file that FAKE_CA makes. It signs what anybody asks for; a client knows it by
ca.crt, which FOLDER gets. Says "listening" when it does. Needs grpcio and protobuf.
"""

import os
import sys
from concurrent import futures

import grpc
from google.protobuf.wrappers_pb2 import StringValue

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from lab import authority  # noqa: E402

_METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"


class _Service(grpc.GenericRpcHandler):
    def __init__(self, lab):
        self._lab = lab

    def service(self, details):
        if details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(self._create)

    def _create(self, request, _context):
        # The request's `csr` is its field 1; so is the response's `cert_chain`, which is repeated.
        asked = StringValue.FromString(request).value
        chain = (self._lab.sign(asked), self._lab.root())
        return b"".join(StringValue(value=one).SerializeToString() for one in chain)


def main(file, folder, port):
    lab = authority.Authority(file, folder)
    chain, key = lab.issue_for("issuer", "IP:127.0.0.1")
    pair = [open(path, "rb").read() for path in (key, chain)]
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[_Service(lab)])
    server.add_secure_port("127.0.0.1:" + port, grpc.ssl_server_credentials([pair]))
    server.start()
    print("listening", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
