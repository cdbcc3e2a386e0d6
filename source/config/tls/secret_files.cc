// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/secret_files.h"

#include <utility>
#include <vector>

#include "absl/strings/strip.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "source/config/tls/data_source.h"

namespace culvert::config::tls {
namespace {

using envoy::config::core::v3::DataSource;
using envoy::extensions::transport_sockets::tls::v3::Secret;

// All sources that are files.
std::vector<DataSource*> filesOf(Secret& secret) {
  std::vector<DataSource*> files;
  const auto add = [&](bool has, DataSource* (*get)(Secret&)) {
    if (has && get(secret)->has_filename()) {
      files.push_back(get(secret));
    }
  };
  const auto& certificate = std::as_const(secret).tls_certificate();
  const auto& validation = std::as_const(secret).validation_context();
  add(certificate.has_certificate_chain(),
      [](Secret& s) { return s.mutable_tls_certificate()->mutable_certificate_chain(); });
  add(certificate.has_private_key(),
      [](Secret& s) { return s.mutable_tls_certificate()->mutable_private_key(); });
  add(certificate.has_pkcs12(),
      [](Secret& s) { return s.mutable_tls_certificate()->mutable_pkcs12(); });
  add(certificate.has_password(),
      [](Secret& s) { return s.mutable_tls_certificate()->mutable_password(); });
  add(validation.has_trusted_ca(),
      [](Secret& s) { return s.mutable_validation_context()->mutable_trusted_ca(); });
  add(validation.has_crl(),
      [](Secret& s) { return s.mutable_validation_context()->mutable_crl(); });
  return files;
}

std::string folderOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "./" : file.substr(0, slash + 1);
}

} // namespace

absl::StatusOr<std::unique_ptr<const Secret>> withContents(const Secret& secret) {
  auto content = std::make_unique<Secret>(secret);
  for (DataSource* file : filesOf(*content)) {
    auto source = readSource(*file, "");
    if (!source.ok()) {
      return absl::InvalidArgumentError(absl::StripPrefix(source.status().message(), ": "));
    }
    file->set_inline_bytes(std::move(source->text));
  }
  return content;
}

std::set<std::string> foldersOf(const Secret& secret) {
  if (secret.tls_certificate().has_watched_directory()) {
    return {secret.tls_certificate().watched_directory().path() + "/"};
  }
  if (secret.validation_context().has_watched_directory()) {
    return {secret.validation_context().watched_directory().path() + "/"};
  }
  std::set<std::string> folders;
  Secret copy = secret;
  for (const DataSource* file : filesOf(copy)) {
    folders.insert(folderOf(file->filename()));
  }
  return folders;
}

} // namespace culvert::config::tls
