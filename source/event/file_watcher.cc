// SPDX-License-Identifier: Apache-2.0
#include "source/event/file_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/check.h"

namespace culvert::event {

FileWatcher::FileWatcher(Loop& loop)
    : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      events_(loop, fd_, FdEvents::Callback::to<&FileWatcher::onReadable>(this)) {
  CULVERT_CHECK(fd_ >= 0);
  events_.setRead(FdEvents::ReadInterest::kData);
}

FileWatcher::~FileWatcher() {
  events_.setRead(FdEvents::ReadInterest::kNone);
  ::close(fd_);
}

absl::Status FileWatcher::watch(const std::string& path, std::function<void()> callback) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int number = inotify_add_watch(fd_, folder.c_str(), IN_MOVED_TO);
  if (number < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("unable to add filesystem watch for file ", path, ": ", std::strerror(errno)));
  }
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  watches_.emplace(number, std::make_shared<Watch>(Watch{name, std::move(callback)}));
  return absl::OkStatus();
}

void FileWatcher::onReadable(uint32_t) {
  alignas(inotify_event) char buffer[4096];
  while (true) {
    const ssize_t got = ::read(fd_, buffer, sizeof(buffer));
    if (got <= 0)
      return;
    for (const char* at = buffer; at < buffer + got;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      if (event->len > 0)
        onRenamed(event->wd, event->name);
      at += sizeof(inotify_event) + event->len;
    }
  }
}

void FileWatcher::onRenamed(int folder, const std::string& name) {
  std::vector<std::shared_ptr<Watch>> due;
  const auto [first, last] = watches_.equal_range(folder);
  for (auto it = first; it != last; ++it) {
    if (it->second->name == name || it->second->name.empty())
      due.push_back(it->second);
  }
  for (const auto& watch : due)
    watch->callback();
}

} // namespace culvert::event
