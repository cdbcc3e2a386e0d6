# SPDX-License-Identifier: Apache-2.0
"""Lists of revoked certificates, as `openssl ca -gencrl` makes them.

    authority = Authority("ca.pem")                # A certificate with its key.
    replace("crl.pem", authority.crl(["1f00"]))    # Serial numbers in hex.
"""

import os
import subprocess
import tempfile

_CONFIG = """
[ca]
default_ca = lab
[lab]
database = {0}/index
default_md = sha256
default_crl_days = 1
"""


class Authority:
    def __init__(self, path):
        self.path = path

    def crl(self, serials, version=2):
        """One that names `serials`, in PEM."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join
            with open(path(folder, "index"), "w", encoding="utf-8") as file:
                for serial in serials:
                    digits = serial.upper()
                    file.write("R\t991231235959Z\t260101000000Z\t%s\tunknown\t/CN=x\n"
                               % digits.zfill(len(digits) + len(digits) % 2))
            config = _CONFIG.format(folder)
            if version == 2:
                config += "crlnumber = %s/number\n" % folder
                with open(path(folder, "number"), "w", encoding="utf-8") as file:
                    file.write("01\n")
            with open(path(folder, "config"), "w", encoding="utf-8") as file:
                file.write(config)
            return subprocess.run(
                ["openssl", "ca", "-gencrl", "-config", path(folder, "config"), "-cert", self.path,
                 "-keyfile", self.path], check=True, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True).stdout


def serial_of(certs_page, uri):
    """The serial number of a process's own certificate, by what its page /certs says."""
    return next(own["serial_number"] for entry in certs_page["certificates"]
                for own in entry.get("cert_chain", [])
                if any(name.get("uri") == uri for name in own["subject_alt_names"]))


def replace(path, text):
    """Puts a file in the place of another at once."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)
