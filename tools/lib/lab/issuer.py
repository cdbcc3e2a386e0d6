# SPDX-License-Identifier: Apache-2.0
"""The lab's authority as Istio's certificate service, over gRPC and TLS at 127.0.0.1.

    python issuer.py AUTHORITY.pem FOLDER PORT

AUTHORITY.pem is the file that FAKE_CA makes. It signs what anybody asks for; a client knows it by
ca.crt, which FOLDER gets. Says "listening" when it does. Needs grpcio.
"""

import os
import sys
from concurrent import futures

import grpc

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from lab import authority  # noqa: E402

_METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
_TEXT_1 = 0x0a  # Field 1, and text: the request's csr, the response's cert_chain.


def _varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def _csr_of(request):
    """Its field 1, which comes first."""
    if request[0] != _TEXT_1:
        raise ValueError("no csr")
    size, begin = _varint(request, 1)
    return request[begin:begin + size].decode()


def _text(value):
    """It as field 1."""
    size = len(value)
    out = bytearray([_TEXT_1])
    while size > 0x7f:
        out.append(size & 0x7f | 0x80)
        size >>= 7
    return bytes(out + bytes([size]) + value.encode())


class _Service(grpc.GenericRpcHandler):
    def __init__(self, lab):
        self._lab = lab

    def service(self, details):
        if details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(self._create)

    def _create(self, request, _context):
        return _text(self._lab.sign(_csr_of(request))) + _text(self._lab.root())


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
