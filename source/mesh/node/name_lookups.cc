// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/name_lookups.h"

#include <utility>

namespace culvert::mesh {

// Of two threads: main only hands it on, `done` is its loop's.
struct NameLookups::Asker {
  event::Loop& loop;
  Done done; // Null: forgotten, or answered.
};

NameLookups::Lookup::~Lookup() { asker_->done = nullptr; }

NameLookups::NameLookups(event::Loop& main, net::DnsFamily family, MakeResolver make)
    : main_(main), family_(family), make_(std::move(make)),
      handle_(std::make_shared<Handle>(Handle{this})) {}

NameLookups::~NameLookups() { stop(); }

std::unique_ptr<NameLookups::Lookup> NameLookups::lookUp(event::Loop& loop, const std::string& name,
                                                         Done done) {
  auto asker = std::make_shared<Asker>(Asker{loop, std::move(done)});
  main_.post([handle = handle_, name, asker] {
    if (handle->names != nullptr) {
      handle->names->ask(name, asker);
    }
  });
  return std::make_unique<Lookup>(std::move(asker));
}

void NameLookups::stop() {
  handle_->names = nullptr;
  questions_.clear();
}

void NameLookups::ask(const std::string& name, std::shared_ptr<Asker> asker) {
  if (resolver_ == nullptr) {
    resolver_ = make_();
  }
  Question& question = questions_[name];
  question.askers.push_back(std::move(asker));
  if (question.query == nullptr) {
    question.query = resolver_->resolve(
        name, family_, [this, name](net::DnsAnswer answer) { onAnswer(name, std::move(answer)); });
  }
}

void NameLookups::onAnswer(const std::string& name, net::DnsAnswer answer) {
  const auto question = questions_.extract(name);
  const auto shared = std::make_shared<const net::DnsAnswer>(std::move(answer));
  for (const std::shared_ptr<Asker>& asker : question.mapped().askers) {
    asker->loop.post([asker, shared] {
      if (const Done done = std::exchange(asker->done, nullptr)) {
        done(*shared);
      }
    });
  }
}

} // namespace culvert::mesh
