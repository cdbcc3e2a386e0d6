# SPDX-License-Identifier: Apache-2.0
"""A lab on loopback: ports, backends, clients and a proxy under observation.

The corpus tests and tools/compare stand on it. Standard library only.
"""
