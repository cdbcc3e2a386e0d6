// SPDX-License-Identifier: Apache-2.0
#include "test/load/plan.h"

#include <random>

#include "test/load/pattern.h"

namespace culvert::load {
namespace {

using Random = std::minstd_rand;

uint64_t upTo(Random& random, uint64_t max) {
  return std::uniform_int_distribution<uint64_t>(0, max)(random);
}

Kind pickKind(Random& random) {
  std::discrete_distribution<int> weights{25, 12, 12, 12, 10, 5, 5, 7, 7, 5};
  return static_cast<Kind>(weights(random));
}

// Mostly small, some long enough to become bulk for the proxy.
uint64_t pickBytes(Random& random) {
  const uint64_t luck = upTo(random, 99);
  if (luck < 10)
    return 0;
  if (luck < 70)
    return upTo(random, 16 * 1024);
  if (luck < 97)
    return upTo(random, 256 * 1024);
  return upTo(random, 4 * 1024 * 1024);
}

// Few are long: what a thousand of them leave in the kernel's buffers must stay bearable.
void makeSlow(EndPlan& reader, EndPlan& writer, Random& random) {
  reader.read_chunk = static_cast<uint32_t>(8 * 1024 + upTo(random, 56 * 1024));
  reader.read_pause_ms = static_cast<int>(2 + upTo(random, 8));
  writer.bytes = upTo(random, uint64_t{64 * 1024} << upTo(random, 6));
}

void makeDripping(EndPlan& writer, Random& random) {
  writer.write_chunk = static_cast<uint32_t>(1 + upTo(random, 200));
  writer.write_pause_ms = static_cast<int>(1 + upTo(random, 9));
  writer.bytes = upTo(random, uint64_t{writer.write_chunk} * 50);
}

void shape(Plan& plan, Random& random) {
  const bool coin = upTo(random, 1) == 1;
  switch (plan.kind) {
  case Kind::kDuplex:
    break;
  case Kind::kClientFirst:
    plan.backend.after_peer = true;
    break;
  case Kind::kBackendFirst:
    plan.client.after_peer = true;
    break;
  case Kind::kSlowReader:
    coin ? makeSlow(plan.client, plan.backend, random)
         : makeSlow(plan.backend, plan.client, random);
    break;
  case Kind::kSlowWriter:
    makeDripping(coin ? plan.client : plan.backend, random);
    break;
  case Kind::kClientCloses:
    plan.client.finish = Finish::kClose;
    plan.backend.bytes = 0; // A byte for one who has gone would be answered with RST.
    plan.backend.after_peer = true;
    break;
  case Kind::kBackendCloses:
    plan.backend.finish = Finish::kClose;
    plan.client.bytes = 0;
    plan.client.after_peer = true;
    break;
  case Kind::kClientResets:
    plan.client.finish = Finish::kReset;
    break;
  case Kind::kBackendResets:
    plan.backend.finish = Finish::kReset;
    break;
  case Kind::kSilent:
    plan.client = EndPlan{.finish = coin ? Finish::kReset : Finish::kClose};
    break;
  }
}

} // namespace

const char* name(Kind kind) {
  static constexpr const char* kNames[kKinds] = {
      "duplex",        "client_first",   "backend_first", "slow_reader",    "slow_writer",
      "client_closes", "backend_closes", "client_resets", "backend_resets", "silent"};
  return kNames[static_cast<int>(kind)];
}

Plan makePlan(uint64_t seed, uint64_t id, int hold_max_ms) {
  Random random(static_cast<uint32_t>(mix(seed ^ mix(id))));
  Plan plan{.kind = pickKind(random), .client = {}, .backend = {}};
  plan.client.bytes = pickBytes(random);
  plan.backend.bytes = pickBytes(random);
  plan.client.greets = true;
  plan.client.hold_ms = static_cast<int>(upTo(random, static_cast<uint64_t>(hold_max_ms)));
  shape(plan, random);
  return plan;
}

} // namespace culvert::load
