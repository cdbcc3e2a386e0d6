// SPDX-License-Identifier: Apache-2.0
#include "source/config/problems.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace culvert::config {
namespace {

// A hostile file must not fill the log: no line is longer than this.
constexpr size_t kLineBytesMax = 4096;

// Configuration is quoted in problems, and a value may hold anything: control characters out.
std::string oneLine(absl::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kLineBytesMax)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    out.append(control ? (c == '\n' ? "\\n" : "?") : std::string(1, c));
  }
  return text.size() > kLineBytesMax ? out + "..." : out;
}

std::string withEnvoy(absl::string_view text, absl::string_view envoy) {
  if (envoy.empty()) {
    return std::string(text);
  }
  const bool closed = !text.empty() && (text.back() == '?' || text.back() == '.');
  return absl::StrCat(text, closed ? " " : ". ", "Envoy says: ", envoy);
}

// "a.b[2].c" -> "a.b[2]" -> "a.b" -> "a" -> "". Map keys may hold dots and brackets.
absl::string_view parent(absl::string_view path) {
  if (path.empty()) {
    return path;
  }
  if (path.back() == ']') {
    return path.substr(0, path.rfind('['));
  }
  const size_t dot = path.rfind('.');
  return dot == absl::string_view::npos ? absl::string_view() : path.substr(0, dot);
}

} // namespace

std::string Problem::render() const {
  std::string place;
  if (line > 0) {
    place = absl::StrCat("(", file, ":", line, ":", column, ")");
  } else if (!file.empty()) {
    place = absl::StrCat("(", file, ")");
  }
  const absl::string_view gap = path.empty() || place.empty() ? "" : " ";
  const absl::string_view colon = path.empty() && place.empty() ? "" : ": ";
  return oneLine(absl::StrCat(path, gap, place, colon, text));
}

void SourceMap::beginFile(absl::string_view name) { files_.emplace_back(name); }

void SourceMap::add(absl::string_view path, Position position) {
  if (files_.empty()) {
    files_.emplace_back();
  }
  places_[std::string(path)] = {static_cast<uint32_t>(files_.size() - 1), position};
}

SourceMap::Place SourceMap::find(absl::string_view path) const {
  for (absl::string_view at = path;; at = parent(at)) {
    if (const auto found = places_.find(std::string(at)); found != places_.end()) {
      return {files_[found->second.file], found->second.position};
    }
    if (at.empty()) {
      return {file(), {}};
    }
  }
}

absl::string_view SourceMap::file() const {
  return files_.empty() ? absl::string_view() : absl::string_view(files_.back());
}

void Problems::error(absl::string_view path, absl::string_view text, absl::string_view envoy) {
  add(sources_.find(path), path, withEnvoy(text, envoy), false);
}

void Problems::errorFrom(const absl::Status& status, absl::string_view path) {
  const absl::string_view message = status.message();
  const size_t colon = message.find(": ");
  const absl::string_view inside = message.substr(0, colon);
  const bool is_path = colon != absl::string_view::npos && !inside.empty() &&
                       inside.find_first_of(" '\"") == absl::string_view::npos;
  if (!is_path) {
    error(path, message);
    return;
  }
  const absl::string_view joint = inside[0] == '[' ? "" : ".";
  error(absl::StrCat(path, joint, inside), message.substr(colon + 2));
}

void Problems::warning(absl::string_view path, absl::string_view text, absl::string_view envoy) {
  add(sources_.find(path), path, withEnvoy(text, envoy), true);
}

void Problems::errorAt(Position position, absl::string_view path, absl::string_view text,
                       absl::string_view envoy) {
  add({sources_.file(), position}, path, withEnvoy(text, envoy), false);
}

bool Problems::unknownField(absl::string_view path, absl::string_view text,
                            absl::string_view envoy) {
  return addUnknown(sources_.find(path), path, text, envoy);
}

bool Problems::unknownFieldAt(Position position, absl::string_view path, absl::string_view text,
                              absl::string_view envoy) {
  return addUnknown({sources_.file(), position}, path, text, envoy);
}

bool Problems::addUnknown(const SourceMap::Place& place, absl::string_view path,
                          absl::string_view text, absl::string_view envoy) {
  unknown_fields_++;
  add(place, path, unknown_fields_allowed_ ? std::string(text) : withEnvoy(text, envoy),
      unknown_fields_allowed_);
  return !unknown_fields_allowed_;
}

void Problems::warningAt(Position position, absl::string_view path, absl::string_view text) {
  add({sources_.file(), position}, path, std::string(text), true);
}

void Problems::add(const SourceMap::Place& place, absl::string_view path, std::string text,
                   bool warning) {
  size_t& count = warning ? warnings_ : errors_;
  if (++count > kProblemsMax) {
    return;
  }
  problems_.push_back({std::string(path), std::string(place.file), place.position.line,
                       place.position.column, std::move(text), warning});
}

std::vector<std::string> Problems::errorLines() const { return lines(false); }

std::vector<std::string> Problems::warningLines() const { return lines(true); }

std::vector<std::string> Problems::lines(bool warnings) const {
  std::vector<const Problem*> sorted;
  for (const Problem& problem : problems_) {
    if (problem.warning == warnings) {
      sorted.push_back(&problem);
    }
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem* a, const Problem* b) {
    return a->file == b->file && std::pair(a->line, a->column) < std::pair(b->line, b->column);
  });
  std::vector<std::string> out;
  for (const Problem* problem : sorted) {
    out.push_back(problem->render());
  }
  const size_t count = warnings ? warnings_ : errors_;
  if (count > kProblemsMax) {
    out.push_back(absl::StrCat("... and ", count - kProblemsMax, " more of them"));
  }
  return out;
}

absl::Status Problems::status() const {
  return ok() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrJoin(errorLines(), "\n"));
}

void Problems::excuse(absl::string_view path) { excused_.emplace(path); }

bool Problems::excused(absl::string_view path) const {
  return excused_.count(std::string(path)) > 0;
}

} // namespace culvert::config
