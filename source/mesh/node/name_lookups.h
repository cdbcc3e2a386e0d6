// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/event/loop.h"
#include "source/net/dns_resolver.h"

namespace culvert::mesh {

// Turns names into addresses for connections of any loop, by a resolver on main. Who asks for a
// name that is being asked for joins in; no answer is kept.
// Threads: main, but for lookUp().
class NameLookups {
  struct Asker;

public:
  using Done = std::function<void(const net::DnsAnswer&)>;
  using MakeResolver = std::function<std::unique_ptr<net::DnsResolver>()>;

  // A question that is under way. Destroying it forgets it. Threads: of the loop that asked.
  class Lookup {
  public:
    explicit Lookup(std::shared_ptr<Asker> asker) : asker_(std::move(asker)) {}
    ~Lookup();
    Lookup(const Lookup&) = delete;

  private:
    const std::shared_ptr<Asker> asker_;
  };

  // The resolver is made when it is first needed.
  NameLookups(event::Loop& main, net::DnsFamily family, MakeResolver make);
  ~NameLookups();

  // `done` is called once, in a later turn of `loop`. Threads: that loop's.
  std::unique_ptr<Lookup> lookUp(event::Loop& loop, const std::string& name, Done done);

  // The loops that ask run no more: from here on nobody is answered.
  void stop();

private:
  struct Question {
    std::vector<std::shared_ptr<Asker>> askers;
    std::unique_ptr<net::DnsQuery> query;
  };

  struct Handle {
    NameLookups* names;
  };

  void ask(const std::string& name, std::shared_ptr<Asker> asker);
  void onAnswer(const std::string& name, net::DnsAnswer answer);

  event::Loop& main_;
  const net::DnsFamily family_;
  const MakeResolver make_;
  std::unique_ptr<net::DnsResolver> resolver_; // Null before the first question.
  absl::flat_hash_map<std::string, Question> questions_;
  const std::shared_ptr<Handle> handle_; // Through which who asks finds this.
};

} // namespace culvert::mesh
