// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace culvert::load {

struct LoadOptions {
  uint32_t connections = 200;
  int seconds = 3; // Over all rounds.
  int rounds = 2;
  uint64_t seed = 0; // 0: from the clock.
  // How much more than at the start a quiet proxy may hold: pools of pipes, memory kept for later.
  // 0 for memory: it is not looked at, since a sanitizer keeps what is freed.
  int descriptor_slack = 8;
  long memory_slack_kb = 64 * 1024;
  int settle_seconds = 20;  // For the proxy to put away what a storm leaves.
  int grace_ms = 0;         // As Storm::Options has it.
  bool resets_stay = false; // Whether a RST that arrives as FIN is a fault.
  int stop_signal = 15;
  std::string config_template;
  std::vector<std::string> command; // As ProxyProcess takes it.
};

// Reads flags and, after "--", the command. False, with usage on stderr, for what it cannot read.
bool readLoadOptions(int argc, char** argv, LoadOptions& options);

// Starts the proxy, drives storms through it and looks at it after each: bytes, descriptors, open
// gauges, memory, life, and how it stops. What happened goes to `out`; returns what is wrong, in
// words, empty for nothing.
std::vector<std::string> runLoad(const LoadOptions& options, std::ostream& out);

} // namespace culvert::load
