// SPDX-License-Identifier: Apache-2.0
#include "test/load/proxy_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/sockets.h"

namespace culvert::load {
namespace {

constexpr int kStartSeconds = 60;
constexpr int kStopSeconds = 60;
constexpr int kPollMs = 20;

std::string readFile(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    bench::die(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void replaceAll(std::string& text, const std::string& what, const std::string& with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at))
    text.replace(at, what.size(), with);
}

void fillPorts(std::string& text, const ProxyProcess::Ports& ports) {
  replaceAll(text, "{listen}", std::to_string(ports.listen));
  replaceAll(text, "{backend}", std::to_string(ports.backend));
  replaceAll(text, "{admin}", std::to_string(ports.admin));
}

std::string writeConfig(const std::string& config_template, const ProxyProcess::Ports& ports) {
  std::string text = readFile(config_template);
  replaceAll(text, "${", "{");
  fillPorts(text, ports);
  const char* folder = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/load-" +
                           std::to_string(getpid()) + "-" + std::to_string(ports.listen) +
                           std::filesystem::path(config_template).extension().string();
  std::ofstream(path) << text;
  return path;
}

bool waitFor(int fd, short events) {
  pollfd waiting{.fd = fd, .events = events, .revents = 0};
  return poll(&waiting, 1, 5000) == 1;
}

// The answer with its headers, as far as it came.
std::string httpGet(uint16_t port, const std::string& path) {
  const int fd = bench::connectTo(port);
  if (fd < 0)
    return "";
  const std::string request =
      "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  std::string answer;
  if (waitFor(fd, POLLOUT) && send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
                                  static_cast<ssize_t>(request.size())) {
    char bytes[16384];
    while (waitFor(fd, POLLIN)) {
      const ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
      if (got <= 0)
        break;
      answer.append(bytes, static_cast<size_t>(got));
    }
  }
  close(fd);
  return answer;
}

bool accepts(uint16_t port) {
  const int fd = bench::connectTo(port);
  if (fd < 0)
    return false;
  int error = 0;
  socklen_t size = sizeof(error);
  const bool ready = waitFor(fd, POLLOUT) &&
                     getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  close(fd);
  return ready;
}

bool saysWhatIsOpen(const std::string& gauge) {
  if (gauge.find("admin.") != std::string::npos)
    return false; // The asking one itself.
  for (const char* end : {"downstream_cx_active", "downstream_pre_cx_active", "upstream_cx_active",
                          "upstream_rq_active", "upstream_rq_pending_active", "_bytes_buffered"}) {
    const size_t size = std::strlen(end);
    if (gauge.size() >= size && gauge.compare(gauge.size() - size, size, end) == 0)
      return true;
  }
  return false;
}

} // namespace

ProxyProcess::ProxyProcess(std::vector<std::string> command, const std::string& config_template,
                           const Ports& ports)
    : ports_(ports), has_admin_(!config_template.empty() &&
                                readFile(config_template).find("${admin}") != std::string::npos) {
  if (!config_template.empty())
    config_path_ = writeConfig(config_template, ports);
  std::vector<char*> words;
  for (std::string& word : command) {
    replaceAll(word, "{config}", config_path_);
    fillPorts(word, ports);
    words.push_back(word.data());
  }
  words.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0)
    bench::die("fork");
  if (pid_ > 0)
    return;
  execvp(words[0], words.data());
  bench::die(words[0]);
}

ProxyProcess::~ProxyProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (!config_path_.empty())
    unlink(config_path_.c_str());
}

bool ProxyProcess::awaitReady() const {
  const int64_t deadline = bench::nowNs() + kStartSeconds * int64_t{1000000000};
  while (bench::nowNs() < deadline && alive()) {
    if (accepts(ports_.listen) &&
        (!has_admin_ || httpGet(ports_.admin, "/ready").find(" 200 ") != std::string::npos))
      return true;
    bench::pauseMs(kPollMs);
  }
  return false;
}

bool ProxyProcess::alive() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

int ProxyProcess::descriptors() const {
  std::error_code error;
  int count = 0;
  for (std::filesystem::directory_iterator entry(proc("fd"), error), end; !error && entry != end;
       entry.increment(error))
    ++count;
  return count;
}

long ProxyProcess::residentKb() const {
  std::istringstream lines(readFile(proc("status")));
  for (std::string word; lines >> word;)
    if (word == "VmRSS:") {
      long kb = 0;
      lines >> kb;
      return kb;
    }
  return 0;
}

std::map<std::string, long> ProxyProcess::openGauges() const {
  std::map<std::string, long> open;
  if (!has_admin_)
    return open;
  std::istringstream lines(httpGet(ports_.admin, "/stats"));
  bool any = false;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos || !saysWhatIsOpen(line.substr(0, colon)))
      continue;
    any = true;
    const long value = std::atol(line.c_str() + colon + 2);
    if (value != 0)
      open[line.substr(0, colon)] = value;
  }
  if (!any)
    open["/stats without any gauge of open connections"] = 1;
  return open;
}

std::string ProxyProcess::stop(int signal) {
  kill(pid_, signal);
  const int64_t deadline = bench::nowNs() + kStopSeconds * int64_t{1000000000};
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (bench::nowNs() > deadline)
      return "does not stop";
    bench::pauseMs(kPollMs);
  }
  pid_ = -1;
  if (WIFSIGNALED(status))
    return "was ended by signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exits with " + std::to_string(WEXITSTATUS(status));
}

std::string ProxyProcess::proc(const std::string& what) const {
  return "/proc/" + std::to_string(pid_) + "/" + what;
}

} // namespace culvert::load
