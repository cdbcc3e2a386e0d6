# SPDX-License-Identifier: Apache-2.0
"""The first bytes of clients: TLS hellos and PROXY headers."""

import ssl
import struct


def client_hello(name=None, protocols=()):
    """A ClientHello as OpenSSL writes it, for this server name and these ALPN protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def proxy_v1(source="10.1.2.3", destination="10.4.5.6", kind="TCP4"):
    return b"PROXY %s %s %s 1111 2222\r\n" % (kind.encode(), source.encode(), destination.encode())


def proxy_v2(command=1, family=0x11, body=None, tlvs=()):
    """A version 2 header; tlvs are pairs of type and value."""
    if body is None:
        body = bytes([10, 1, 2, 3, 10, 4, 5, 6]) + struct.pack(">HH", 1111, 2222)
    body += b"".join(bytes([kind]) + struct.pack(">H", len(value)) + value for kind, value in tlvs)
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, family])
            + struct.pack(">H", len(body)) + body)
