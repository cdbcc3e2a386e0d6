// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace culvert::load {

// A real proxy process, looked at from outside.
// Threads: one. Errors: what cannot be started or read ends the program.
class ProxyProcess {
public:
  struct Ports {
    uint16_t listen;
    uint16_t backend;
    uint16_t admin;
  };

  // Runs `command`. In each word {listen}, {backend}, {admin} and {config} are replaced; the config
  // is the file `config_template` with ${listen}, ${backend} and ${admin} filled in.
  ProxyProcess(std::vector<std::string> command, const std::string& config_template,
               const Ports& ports);
  // Kills a process that still runs.
  ~ProxyProcess();
  ProxyProcess(const ProxyProcess&) = delete;
  ProxyProcess& operator=(const ProxyProcess&) = delete;

  // False if it died or does not serve in time.
  bool awaitReady() const;
  bool alive() const;
  int descriptors() const;
  long residentKb() const;
  // The gauges of /stats that say what is still open, and are not 0. Empty without admin.
  std::map<std::string, long> openGauges() const;
  // Sends `signal`; returns how it ended, "" for exit status 0 in time.
  std::string stop(int signal);

private:
  std::string proc(const std::string& what) const;

  const Ports ports_;
  const bool has_admin_;
  std::string config_path_;
  pid_t pid_ = -1;
};

} // namespace culvert::load
