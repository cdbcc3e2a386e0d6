// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/certificates/lab_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/net/socket.h"
#include "source/tls/authority.h"

namespace culvert::mesh {
namespace {

constexpr std::chrono::hours kAuthorityValidity(24 * 365 * 10);
constexpr std::chrono::minutes kClocksDiffer(2); // By so much at most.
constexpr size_t kFileBytesMax = 64 * 1024;

using AuthorityPtr = std::unique_ptr<const tls::Authority>;

absl::Status fault(const std::string& file, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(file, ": ", what));
}

absl::Status faultOfSystem(const std::string& file, absl::string_view what) {
  return fault(file, absl::StrCat(what, ": ", net::errnoText(errno)));
}

// A key that somebody else could have put there, or could read, protects nothing.
absl::StatusOr<AuthorityPtr> readAuthority(const std::string& file) {
  const net::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) {
    return errno == ENOENT ? absl::NotFoundError(file) : faultOfSystem(file, "cannot be opened");
  }
  struct stat status;
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fault(file, "is no file");
  }
  if (status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return fault(file, "must belong to the user of this process and be closed to all others");
  }
  std::string text(kFileBytesMax, '\0');
  const ssize_t bytes = ::read(fd.get(), text.data(), text.size());
  if (bytes < 0) {
    return faultOfSystem(file, "cannot be read");
  }
  text.resize(static_cast<size_t>(bytes));
  auto authority = tls::Authority::load(text);
  return authority.ok() ? std::move(authority) : fault(file, authority.status().message());
}

// Under another name first, so that nobody reads half of it; of several who do this at once the
// first one's stays.
absl::Status writeAuthority(const std::string& file, const std::string& text) {
  std::string draft = file + ".XXXXXX";
  const net::Fd fd(::mkostemp(draft.data(), O_CLOEXEC));
  if (!fd.valid()) {
    return faultOfSystem(file, "cannot be made");
  }
  const bool written =
      ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool linked = written && (::link(draft.c_str(), file.c_str()) == 0 || errno == EEXIST);
  const absl::Status status = linked ? absl::OkStatus() : faultOfSystem(file, "cannot be made");
  ::unlink(draft.c_str());
  return status;
}

absl::StatusOr<AuthorityPtr> findAuthority(const std::string& file, const base::Clock& clock) {
  absl::StatusOr<AuthorityPtr> found = readAuthority(file);
  if (!absl::IsNotFound(found.status())) {
    return found;
  }
  const base::WallTime now = clock.wallNow();
  const auto made =
      tls::Authority::create("Culvert lab", now - kClocksDiffer, now + kAuthorityValidity);
  if (!made.ok()) {
    return made.status();
  }
  const absl::StatusOr<std::string> text = (*made)->text();
  absl::Status status = text.ok() ? writeAuthority(file, *text) : text.status();
  return status.ok() ? readAuthority(file) : status;
}

class LabSource final : public CertificateSource {
public:
  LabSource(AuthorityPtr authority, std::string roots, base::Duration validity,
            const base::Clock& clock)
      : authority_(std::move(authority)), roots_(std::move(roots)), validity_(validity),
        clock_(clock) {}

  void request(const std::string& identity, Done done) override {
    const base::WallTime now = clock_.wallNow();
    const base::WallTime until =
        now + std::chrono::duration_cast<base::WallTime::duration>(validity_);
    auto issued = authority_->issue(identity, now - kClocksDiffer, until);
    if (!issued.ok()) {
      done(issued.status());
      return;
    }
    done(IssuedCertificate{std::move(issued->chain), std::move(issued->key), roots_,
                           now - kClocksDiffer, until});
  }

private:
  const AuthorityPtr authority_;
  const std::string roots_;
  const base::Duration validity_;
  const base::Clock& clock_;
};

} // namespace

absl::StatusOr<std::unique_ptr<CertificateSource>>
makeLabSource(const std::string& file, base::Duration validity, const base::Clock& clock) {
  absl::StatusOr<AuthorityPtr> authority = findAuthority(file, clock);
  if (!authority.ok()) {
    return authority.status();
  }
  absl::StatusOr<std::string> roots = (*authority)->certificate();
  if (!roots.ok()) {
    return roots.status();
  }
  LOG(warning, secret,
      "certificates are self-signed by the lab authority in %s: whoever can read that file can be "
      "anybody; for labs only",
      file);
  return std::make_unique<LabSource>(*std::move(authority), *std::move(roots), validity, clock);
}

std::string defaultLabFile() {
  const char* const folder = std::getenv("TMPDIR");
  return absl::StrCat(folder != nullptr && *folder != '\0' ? folder : "/tmp", "/culvert-lab-ca-",
                      ::geteuid(), ".pem");
}

} // namespace culvert::mesh
