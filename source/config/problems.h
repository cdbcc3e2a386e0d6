// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace culvert::config {

/**
 * A place in a configuration file. Line and column count from 1; 0 means that it is not known.
 */
struct Position {
  int line = 0;
  int column = 0;
};

/**
 * One thing that is wrong with a configuration (or, as a warning, only unwise).
 *
 * `path` names the field as the operator wrote it: `static_resources.listeners[0].name`, map
 * entries as `metadata.filter_metadata[envoy.lb]`, fields of a typed_config without a step
 * between. `text` is our explanation, then Envoy's own sentence.
 */
struct Problem {
  std::string path;
  std::string file;
  int line = 0;
  int column = 0;
  std::string text;
  bool warning = false;

  // `path (file:line:column): text`, always one line of bounded length.
  std::string render() const;
};

/**
 * Where each field of the loaded files stands, by path, so that whoever finds a mistake later
 * needs to know only the path of the field.
 *
 * Threads: one.
 */
class SourceMap {
public:
  struct Place {
    absl::string_view file;
    Position position;
  };

  // What is added from now on stands in this file.
  void beginFile(absl::string_view name);
  void add(absl::string_view path, Position position);

  // The place of the field, or of the nearest thing around it that was written down.
  Place find(absl::string_view path) const;
  absl::string_view file() const;

private:
  struct Entry {
    uint32_t file;
    Position position;
  };
  std::vector<std::string> files_;
  std::unordered_map<std::string, Entry> places_;
};

/**
 * Collects everything that is wrong with a configuration, so that a user hears of all of it
 * at once. Holds a bounded number; further ones are only counted.
 *
 * Threads: one.
 */
class Problems {
public:
  static constexpr size_t kProblemsMax = 100;

  // `envoy` is the sentence that Envoy prints for the same mistake; may be empty.
  void error(absl::string_view path, absl::string_view text, absl::string_view envoy = "");
  void warning(absl::string_view path, absl::string_view text, absl::string_view envoy = "");
  // What a factory says of its configuration, which stands at `path`: a status whose message
  // begins with the path inside it, "max_bytes: must be above 0" or "[0].path: no such file".
  void errorFrom(const absl::Status& status, absl::string_view path);
  // At a position that no field has: a syntax error, a name that is no field.
  void errorAt(Position position, absl::string_view path, absl::string_view text,
               absl::string_view envoy = "");
  void warningAt(Position position, absl::string_view path, absl::string_view text);
  // A field that the messages do not have: an error, unless such fields are let pass. Returns
  // whether it is one.
  bool unknownField(absl::string_view path, absl::string_view text, absl::string_view envoy);
  bool unknownFieldAt(Position position, absl::string_view path, absl::string_view text,
                      absl::string_view envoy);

  // --allow-unknown-static-fields: only warn of fields that the messages do not have.
  void allowUnknownFields() { unknown_fields_allowed_ = true; }
  size_t unknownFields() const { return unknown_fields_; }
  // --skip-deprecated-logs: say nothing of fields that will go.
  void skipDeprecated() { deprecated_skipped_ = true; }
  bool deprecatedSkipped() const { return deprecated_skipped_; }

  // No errors so far; warnings do not count.
  bool ok() const { return errors_ == 0; }
  // Errors so far, with those that were no longer kept.
  size_t errors() const { return errors_; }
  // Further errors are only counted: nobody needs to compose them.
  bool full() const { return errors_ >= kProblemsMax; }
  // In the order in which they were found.
  const std::vector<Problem>& all() const { return problems_; }
  // Errors, one line each, by place in the file; then how many were left out, if any.
  std::vector<std::string> errorLines() const;
  std::vector<std::string> warningLines() const;
  // OK, or InvalidArgument with the error lines.
  absl::Status status() const;

  // An error about `path` itself is known, so that it is unset needs no second one.
  void excuse(absl::string_view path);
  bool excused(absl::string_view path) const;

  SourceMap& sources() { return sources_; }
  const SourceMap& sources() const { return sources_; }

private:
  void add(const SourceMap::Place& place, absl::string_view path, std::string text, bool warning);
  bool addUnknown(const SourceMap::Place& place, absl::string_view path, absl::string_view text,
                  absl::string_view envoy);
  std::vector<std::string> lines(bool warnings) const;

  SourceMap sources_;
  std::vector<Problem> problems_;
  std::set<std::string> excused_;
  size_t errors_ = 0;
  size_t warnings_ = 0;
  size_t unknown_fields_ = 0;
  bool unknown_fields_allowed_ = false;
  bool deprecated_skipped_ = false;
};

} // namespace culvert::config
