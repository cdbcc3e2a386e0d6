// SPDX-License-Identifier: Apache-2.0
#include "source/event/file_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
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

FileWatcher::Watch::~Watch() { watcher->forget(*this); }

absl::StatusOr<std::unique_ptr<FileWatcher::Watch>>
FileWatcher::watch(const std::string& path, FileChange change, std::function<void()> callback) {
  const uint32_t mask = change == FileChange::kRenamed ? IN_MOVED_TO : IN_MOVED_TO | IN_CLOSE_WRITE;
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int number = inotify_add_watch(fd_, folder.c_str(), mask | IN_MASK_ADD);
  if (number < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("unable to add filesystem watch for file ", path, ": ", std::strerror(errno)));
  }
  std::unique_ptr<Watch> watch(new Watch);
  watch->watcher = this;
  watch->folder = number;
  watch->name = slash == std::string::npos ? path : path.substr(slash + 1);
  watch->mask = mask;
  watch->callback = std::move(callback);
  watches_.push_back(watch.get());
  return watch;
}

void FileWatcher::forget(const Watch& watch) {
  watches_.erase(std::find(watches_.begin(), watches_.end(), &watch));
  const bool last = std::none_of(watches_.begin(), watches_.end(),
                                 [&](const Watch* other) { return other->folder == watch.folder; });
  if (last) {
    inotify_rm_watch(fd_, watch.folder);
  }
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
        onChanged(event->wd, event->mask, event->name);
      at += sizeof(inotify_event) + event->len;
    }
  }
}

void FileWatcher::onChanged(int folder, uint32_t mask, const std::string& name) {
  std::vector<Watch*> due;
  for (Watch* watch : watches_) {
    if (watch->folder == folder && (watch->mask & mask) != 0 &&
        (watch->name.empty() || watch->name == name))
      due.push_back(watch);
  }
  for (Watch* watch : due) {
    // An earlier callback may have ended it.
    if (std::find(watches_.begin(), watches_.end(), watch) != watches_.end())
      std::function<void()>(watch->callback)();
  }
}

} // namespace culvert::event
