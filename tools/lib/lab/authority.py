# SPDX-License-Identifier: Apache-2.0
"""Certificates of the lab's authority, right and wrong ones, made by openssl."""

import os
import subprocess


class Authority:
    """`file` holds the certificate and the key that the proxy made; what is issued goes to `folder`."""

    def __init__(self, file, folder):
        self._folder = folder
        for command in ("x509 -in %s -out ca.crt", "pkey -in %s -out ca.key"):
            self._run(command % file)

    def _run(self, command):
        done = subprocess.run(["openssl", *command.split()], cwd=self._folder, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError("openssl %s: %s" % (command, done.stderr))

    def issue(self, name, uri, expired=False):
        """The paths of a certificate for `uri` and of its key."""
        chain, key = (os.path.join(self._folder, name + end) for end in (".pem", ".key"))
        extensions = os.path.join(self._folder, name + ".ext")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write("subjectAltName=critical,URI:%s\n" % uri)
        self._run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " + key)
        self._run("req -new -key %s -subj / -out %s.csr" % (key, name))
        self._run("x509 -req -in %s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days %d"
                  " -extfile %s -out %s" % (name, -1 if expired else 1, extensions, chain))
        return chain, key
