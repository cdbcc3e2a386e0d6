// SPDX-License-Identifier: Apache-2.0
#include "source/config/loader.h"

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

#include "source/base/file.h"
#include "source/config/internal/message_writer.h"
#include "source/config/internal/tree.h"
#include "source/config/internal/unknown_fields.h"
#include "source/config/suggest.h"

namespace culvert::config {
namespace {

using google::protobuf::Message;

// What the text parser of protobuf complains of, with its places.
class TextErrors : public google::protobuf::io::ErrorCollector {
public:
  TextErrors(std::string envoy, Problems& problems)
      : envoy_(std::move(envoy)), problems_(problems) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    problems_.errorAt({line + 1, column + 1}, "", message, envoy_);
  }

private:
  std::string envoy_;
  Problems& problems_;
};

std::string unparsable(absl::string_view name, absl::string_view kind, const Message& message) {
  return absl::StrCat("Unable to parse file \"", name, "\" as a ", kind, " protobuf (type ",
                      message.GetTypeName(), ")");
}

// Into a message of its own first: the parsers of protobuf clear what they parse into.
void loadProtobuf(absl::string_view text, Format format, absl::string_view name, Message& message,
                  Problems& problems) {
  const std::unique_ptr<Message> loaded(message.New());
  const std::string bytes(text);
  if (format == Format::kBinary) {
    if (!loaded->ParseFromString(bytes)) {
      problems.error("", absl::StrCat("this is no serialized ", message.GetTypeName()),
                     unparsable(name, "binary", message));
      return;
    }
    reportUnknownFields(*loaded, "", problems);
  } else {
    TextErrors errors(unparsable(name, "text", message), problems);
    google::protobuf::TextFormat::Parser parser;
    parser.RecordErrorsTo(&errors);
    parser.SetRecursionLimit(kDepthMax);
    google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
    if (!parser.Parse(&stream, loaded.get())) {
      return;
    }
  }
  message.MergeFrom(*loaded);
}

std::string notConvertible(const Node& root, absl::string_view text) {
  // Envoy prints the text; a whole file of it would hide the sentence.
  const absl::string_view shown = root.kind == Node::Kind::kNull ? text.substr(0, 80) : root.text;
  return absl::StrCat("Unable to convert YAML as JSON: ", shown);
}

std::string jsonSentence(const SyntaxError& error, const Message& message) {
  if (error.envoy.empty()) {
    return "";
  }
  const Position at = error.mark.position;
  const std::string where =
      error.placed ? absl::StrCat("invalid JSON in ", message.GetTypeName(), ", near ", at.line,
                                  ":", at.column, " (offset ", error.mark.offset_bytes, "): ")
                   : "";
  return absl::StrCat("Unable to parse JSON as proto (INVALID_ARGUMENT: ", where, error.envoy,
                      "): {...}");
}

void loadTree(absl::string_view text, Format format, Message& message, Problems& problems) {
  Tree tree;
  const std::optional<SyntaxError> error =
      format == Format::kYaml ? parseYaml(text, tree) : parseJson(text, tree);
  if (error) {
    const std::string envoy =
        format == Format::kYaml ? error->envoy : jsonSentence(*error, message);
    problems.errorAt(error->mark.position, "", error->text, envoy);
    return;
  }
  const Node& root = *tree.root;
  const bool collection = root.kind == Node::Kind::kMap || root.kind == Node::Kind::kList;
  if (format == Format::kYaml && !collection) {
    problems.errorAt(root.mark.position, "",
                     root.kind == Node::Kind::kNull
                         ? "there is nothing in it; the smallest configuration is {}"
                         : "a map of fields is expected, not a single value",
                     notConvertible(root, text));
    return;
  }
  MessageWriter(*message.GetDescriptor(), tree.nodes.size(), problems).write(root, message);
}

} // namespace

Format formatOf(absl::string_view path) {
  const auto ends = [&](absl::string_view end) { return absl::EndsWithIgnoreCase(path, end); };
  if (ends(".yaml") || ends(".yml")) {
    return Format::kYaml;
  }
  if (ends(".pb")) {
    return Format::kBinary;
  }
  return ends(".pb_text") || ends(".textproto") ? Format::kText : Format::kJson;
}

bool loadFile(const std::string& path, Message& message, Problems& problems) {
  const auto text = base::readFile(path);
  if (!text.has_value()) {
    problems.sources().beginFile(path);
    problems.error("", "there is no such file, or it can't be read",
                   absl::StrCat("Invalid path: ", path));
    return false;
  }
  return loadText(*text, formatOf(path), path, message, problems);
}

bool loadText(absl::string_view text, Format format, absl::string_view name, Message& message,
              Problems& problems) {
  const size_t errors = problems.errors();
  problems.sources().beginFile(name);
  if (text.size() > kInputBytesMax) {
    problems.error("", absl::StrCat("larger than ", kInputBytesMax >> 20, " MiB"));
  } else if (format == Format::kYaml || format == Format::kJson) {
    loadTree(text, format, message, problems);
  } else {
    loadProtobuf(text, format, name, message, problems);
  }
  return problems.errors() == errors;
}

} // namespace culvert::config
