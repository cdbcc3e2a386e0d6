// SPDX-License-Identifier: Apache-2.0
// Prints the .proto files that roots.txt needs, from descriptors and comments.
// Usage: print_protos DUMP ROOTS OUT_DIR (DUMP is written by import_api.py).
#include <google/protobuf/any.pb.h>
#include <google/protobuf/api.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace pb = google::protobuf;
using Comments = std::map<std::string, std::string>;

static std::string unhex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

// Undoes Python's unicode_escape.
static std::string unescape(const std::string& in) {
  std::string out;
  for (size_t i = 0; i < in.size(); i++) {
    if (in[i] != '\\') {
      out.push_back(in[i]);
      continue;
    }
    const char c = in[++i];
    if (c == 'n') {
      out.push_back('\n');
    } else if (c == 't') {
      out.push_back('\t');
    } else if (c == 'x' || c == 'u') {
      const int digits = c == 'x' ? 2 : 4;
      const unsigned code = std::stoul(in.substr(i + 1, digits), nullptr, 16);
      i += digits;
      if (code < 0x80) {
        out.push_back(static_cast<char>(code));
      } else if (code < 0x800) {
        out.push_back(static_cast<char>(0xc0 | code >> 6));
        out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
      } else {
        out.push_back(static_cast<char>(0xe0 | code >> 12));
        out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
        out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
      }
    } else {
      out.push_back(c);
    }
  }
  return out;
}

class Commenter {
public:
  Commenter(pb::FileDescriptorProto& file, const Comments& comments)
      : file_(file), comments_(comments) {}

  void run() {
    for (int i = 0; i < file_.message_type_size(); i++) {
      message(*file_.mutable_message_type(i), "", {4, i});
    }
    for (int i = 0; i < file_.enum_type_size(); i++) {
      enumeration(file_.enum_type(i), "", {5, i});
    }
  }

private:
  using Path = std::vector<int>;

  static Path join(Path path, int field, int index) {
    path.push_back(field);
    path.push_back(index);
    return path;
  }

  void add(const std::string& key, const Path& path) {
    const auto it = comments_.find(key);
    if (it == comments_.end()) {
      return;
    }
    auto* location = file_.mutable_source_code_info()->add_location();
    for (const int part : path) {
      location->add_path(part);
    }
    for (int i = 0; i < 3; i++) {
      location->add_span(0);
    }
    // The printer drops empty lines of a comment, not those with a space.
    std::string text = it->second + "\n";
    for (size_t at; (at = text.find("\n\n")) != std::string::npos;) {
      text.insert(at + 1, " ");
    }
    location->set_leading_comments(text);
  }

  void message(pb::DescriptorProto& m, const std::string& prefix, const Path& path) {
    const std::string name = prefix + m.name();
    add(name, path);
    for (int i = 0; i < m.field_size(); i++) {
      m.mutable_field(i)->clear_json_name(); // Never set but to the default.
      add(name + "#" + std::to_string(m.field(i).number()), join(path, 2, i));
    }
    for (int i = 0; i < m.oneof_decl_size(); i++) {
      add(name + "/" + m.oneof_decl(i).name(), join(path, 8, i));
    }
    for (int i = 0; i < m.nested_type_size(); i++) {
      message(*m.mutable_nested_type(i), name + "_", join(path, 3, i));
    }
    for (int i = 0; i < m.enum_type_size(); i++) {
      enumeration(m.enum_type(i), name + "_", join(path, 4, i));
    }
  }

  void enumeration(const pb::EnumDescriptorProto& e, const std::string& prefix, const Path& path) {
    const std::string name = prefix + e.name();
    add(name, path);
    for (int i = 0; i < e.value_size(); i++) {
      add(name + "=" + std::to_string(e.value(i).number()), join(path, 2, i));
    }
  }

  pb::FileDescriptorProto& file_;
  const Comments& comments_;
};

using Files = std::map<std::string, pb::FileDescriptorProto>;

// protobuf's own files, which the roots import and the modules do not hold.
static void addWellKnown(Files& files) {
  const pb::Message* well_known[] = {
      &pb::Any::default_instance(),       &pb::Api::default_instance(),
      &pb::Duration::default_instance(),  &pb::Empty::default_instance(),
      &pb::FieldMask::default_instance(), &pb::FileDescriptorProto::default_instance(),
      &pb::Struct::default_instance(),    &pb::Timestamp::default_instance(),
      &pb::Int32Value::default_instance()};
  for (const pb::Message* m : well_known) {
    const pb::FileDescriptor* file = m->GetDescriptor()->file();
    file->CopyTo(&files[file->name()]);
  }
}

static bool readDump(const char* path, Files& files) {
  std::ifstream dump(path);
  std::string line;
  while (std::getline(dump, line)) {
    pb::FileDescriptorProto file;
    if (!file.ParseFromString(unhex(line))) {
      std::cerr << "a descriptor in the modules cannot be read\n";
      return false;
    }
    Comments comments;
    while (std::getline(dump, line) && !line.empty()) {
      const size_t tab = line.find('\t');
      comments[line.substr(0, tab)] = unescape(line.substr(tab + 1));
    }
    Commenter(file, comments).run();
    file.mutable_options()->clear_go_package();
    files[file.name()] = file;
  }
  return true;
}

// Builds the files asked for and what they import, imports first.
class Closure {
public:
  explicit Closure(const Files& files) : files_(files) {}

  bool add(const std::string& name) {
    if (!built_.insert(name).second) {
      return true;
    }
    const auto it = files_.find(name);
    if (it == files_.end()) {
      std::cerr << "not in the pinned modules: " << name << "\n";
      return false;
    }
    for (const std::string& dependency : it->second.dependency()) {
      if (!add(dependency)) {
        return false;
      }
    }
    order_.push_back(pool_.BuildFile(it->second));
    return order_.back() != nullptr;
  }

  const std::vector<const pb::FileDescriptor*>& order() const { return order_; }

private:
  const Files& files_;
  pb::DescriptorPool pool_;
  std::set<std::string> built_;
  std::vector<const pb::FileDescriptor*> order_;
};

static void write(const pb::FileDescriptor& file, const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path);
  out << "// Written by tools/api/import_api.py; do not edit.\n";
  pb::DebugStringOptions options;
  options.include_comments = true;
  std::istringstream text(file.DebugStringWithOptions(options));
  for (std::string line; std::getline(text, line);) {
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  }
}

int main(int argc, char** argv) {
  if (argc != 4) {
    return 2;
  }
  Files files;
  addWellKnown(files);
  if (!readDump(argv[1], files)) {
    return 1;
  }
  Closure closure(files);
  if (!closure.add("google/protobuf/descriptor.proto")) {
    return 1;
  }
  std::ifstream roots(argv[2]);
  for (std::string line; std::getline(roots, line);) {
    if (!line.empty() && line[0] != '#' && !closure.add(line)) {
      return 1;
    }
  }
  for (const pb::FileDescriptor* file : closure.order()) {
    if (file->name().rfind("google/protobuf/", 0) != 0) {
      write(*file, std::filesystem::path(argv[3]) / file->name());
    }
  }
}
