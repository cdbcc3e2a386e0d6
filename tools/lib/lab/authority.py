# SPDX-License-Identifier: Apache-2.0
"""Certificates of the lab's authority, right and wrong ones, made by openssl."""

import os
import subprocess


def make(file):
    """A new one's certificate and key, for whoever is not to wait until a node of ours makes it."""
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=Culvert lab", "-days", "3650", "-keyout", "-",
         "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with open(file, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        out.write(done.stdout)


class Authority:
    """`file` holds an authority's certificate and key; what is issued goes to `folder`."""

    def __init__(self, file, folder):
        self._folder = folder
        for command in ("x509 -in %s -out ca.crt", "pkey -in %s -out ca.key"):
            self._run(command % file)

    def _run(self, command):
        done = subprocess.run(["openssl", *command.split()], cwd=self._folder, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError("openssl %s: %s" % (command, done.stderr))

    def root(self):
        """Its own certificate."""
        return self._read("ca.crt")

    def _read(self, name):
        with open(os.path.join(self._folder, name), encoding="ascii") as file:
            return file.read()

    def sign(self, request):
        """The certificate that a request in PEM asks for."""
        with open(os.path.join(self._folder, "asked.csr"), "w", encoding="ascii") as file:
            file.write(request)
        self._run("x509 -req -in asked.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1"
                  " -copy_extensions copyall -out asked.pem")
        return self._read("asked.pem")

    def issue(self, name, uri, expired=False):
        """The paths of a certificate for `uri` and of its key."""
        return self.issue_for(name, "critical,URI:" + uri, expired)

    def issue_for(self, name, names, expired=False):
        """The same for other subject alternative names, as openssl writes them."""
        chain, key = (os.path.join(self._folder, name + end) for end in (".pem", ".key"))
        extensions = os.path.join(self._folder, name + ".ext")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write("subjectAltName=%s\n" % names)
        self._run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " + key)
        self._run("req -new -key %s -subj / -out %s.csr" % (key, name))
        self._run("x509 -req -in %s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days %d"
                  " -extfile %s -out %s" % (name, -1 if expired else 1, extensions, chain))
        return chain, key
