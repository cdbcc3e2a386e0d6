// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "source/mesh/certificates/certificates.h"

namespace culvert::mesh {

// What the process knows of the mesh that it is a node of. Filters and transport sockets find it in
// the context that they are made with.
// Threads: made on main; what it gives out says who may call it. Lifetime: the server's.
class Node {
public:
  explicit Node(std::unique_ptr<Certificates> certificates)
      : certificates_(std::move(certificates)) {}

  Certificates& certificates() { return *certificates_; }

private:
  const std::unique_ptr<Certificates> certificates_;
};

} // namespace culvert::mesh
