# SPDX-License-Identifier: Apache-2.0
"""What all servers of the lab need to do with a socket."""

import socket


def close_waking(sock):
    """Closes a socket in whose accept or recv another thread may be, and so frees its port.

    That thread keeps a socket alive that is only closed; shutdown wakes it. Twice does no harm.
    """
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # ENOTCONN of datagrams, which wakes it, too; or it is closed already.
        pass
    sock.close()
