// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "source/tls/contexts.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class Secret;
}

namespace culvert::config::tls {

// A secret by its name, as it is now. This one never changes; others come from files.
// Threads: main. Lifetime: the contexts that use it share it, and one of the bootstrap is
// Secrets', too.
class NamedSecret {
public:
  using Message = envoy::extensions::transport_sockets::tls::v3::Secret;
  using MessagePtr = std::unique_ptr<const Message>;

  NamedSecret(std::string name, MessagePtr message);
  virtual ~NamedSecret();
  NamedSecret(const NamedSecret&) = delete;

  const std::string& name() const { return name_; }
  // Null as long as none came that was of use.
  const Message* get() const { return current_.get(); }

  // Has `slot` made anew with each new content, beginning with the first.
  virtual void serve(const std::shared_ptr<culvert::tls::ContextSlot>& /*slot*/) {}

protected:
  void addSlot(const std::shared_ptr<culvert::tls::ContextSlot>& slot);
  // Either all slots take it, or the secret stays as it was. Errors: a slot's.
  absl::Status replace(MessagePtr message);

private:
  const std::string name_;
  MessagePtr current_;
  std::vector<std::weak_ptr<culvert::tls::ContextSlot>> slots_;
};

} // namespace culvert::config::tls
