// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/tls_io.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "source/base/check.h"
#include "source/tls/context.h"
#include "source/tls/internal/failure.h"
#include "source/tls/internal/revocation_lists.h"
#include "source/tls/revocations.h"

namespace culvert::tls::internal {

using event::FdEvents;
using net::IoResult;
using net::IoStatus;

namespace {

constexpr size_t kRecordBytes = 16 * 1024; // What one record holds at most (RFC 8446, section 5.1).
constexpr size_t kBatchBytes = 4 * kRecordBytes;
constexpr size_t kReadBytes = kRecordBytes + 1024; // One record with everything around it.
// Whole records of the length that bulk senders choose (RFC 8446, section 5.2: header, type and tag
// are 22 bytes), as the library moves what is left of the last one; and its alignment.
constexpr size_t kBulkReadBytes = 7 * (kRecordBytes + 22) + 8;
// Reads of the transport in one turn, so that records which bring nothing keep no other
// connection waiting.
constexpr int kReadsMax = 16;

} // namespace

// How the library reads and writes: a BIO whose bytes are the TlsIo's.
struct TlsBio {
  static TlsIo& ioOf(BIO* bio) { return *static_cast<TlsIo*>(BIO_get_data(bio)); }
  static int read(BIO* bio, char* into, int size) {
    BIO_clear_retry_flags(bio);
    const int got = ioOf(bio).bioRead(into, static_cast<size_t>(size));
    if (got < 0 && !ioOf(bio).transport_reset_) {
      BIO_set_retry_read(bio);
    }
    return got;
  }
  static int write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    return ioOf(bio).bioWrite(data, static_cast<size_t>(size));
  }
  static long control(BIO* bio, int command, long, void*) {
    switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return ioOf(bio).transport_end_ ? 1 : 0;
    default:
      return 0;
    }
  }
  static BIO_METHOD* method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "culvert");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return method;
  }
};

// What the TLS connections of one loop need only while a call runs; and those that may be revoked.
class TlsIo::Shared {
public:
  explicit Shared(event::Loop&) {}
  std::string records; // Made, and not yet sent.
  char gathered[kRecordBytes];
  base::IntrusiveList<TlsIo> revocable;
};

// The bytes that a caller wants written, record by record.
class TlsIo::Pieces {
public:
  explicit Pieces(absl::Span<const iovec> pieces) : left_(pieces) {}

  // How much of `bytes` there was to skip.
  size_t skip(size_t bytes) {
    size_t skipped = 0;
    while (skipped < bytes && !left_.empty()) {
      const size_t step = std::min(bytes - skipped, left_.front().iov_len - offset_);
      advance(step);
      skipped += step;
    }
    return skipped;
  }

  // The next bytes for one record; small pieces are put together in `gathered`. Empty at the end.
  absl::string_view next(char* gathered) {
    if (left_.empty()) {
      return {};
    }
    const size_t first = left_.front().iov_len - offset_;
    if (first >= kRecordBytes || left_.size() == 1) {
      const char* const data = static_cast<const char*>(left_.front().iov_base) + offset_;
      const size_t size = std::min(first, kRecordBytes);
      advance(size);
      return {data, size};
    }
    size_t size = 0;
    while (size < kRecordBytes && !left_.empty()) {
      const size_t step = std::min(kRecordBytes - size, left_.front().iov_len - offset_);
      std::memcpy(gathered + size, static_cast<const char*>(left_.front().iov_base) + offset_,
                  step);
      size += step;
      advance(step);
    }
    return {gathered, size};
  }

private:
  void advance(size_t bytes) {
    offset_ += bytes;
    while (!left_.empty() && offset_ == left_.front().iov_len) {
      left_.remove_prefix(1);
      offset_ = 0;
    }
  }

  absl::Span<const iovec> left_;
  size_t offset_ = 0;
};

TlsIo::TlsIo(event::Loop& loop, std::unique_ptr<net::Io> inner, std::shared_ptr<Session> session,
             bool connecting)
    : shared_(loop.local<Shared>()), inner_(std::move(inner)), session_(std::move(session)),
      state_(connecting ? State::kConnecting : State::kHandshake) {
  BIO* const bio = BIO_new(TlsBio::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(session_->ssl(), bio, bio);
  inner_->setReadyCallback(ReadyCallback::to<&TlsIo::onReady>(this));
  if (session_->context().revocations() != nullptr) {
    shared_.revocable.pushBack(*this);
  }
}

TlsIo::~TlsIo() {
  SSL_set_bio(session_->ssl(), nullptr, nullptr); // The session may live longer.
}

int TlsIo::bioRead(char* into, size_t size) {
  if (drained_ || transport_reset_ || reads_ == kReadsMax) {
    return -1; // Of what is left in the last case, readiness is reported again.
  }
  reads_++;
  const IoResult result = inner_->read({into, size});
  transport_more_ = result.status == IoStatus::kMore;
  switch (result.status) {
  case IoStatus::kEnd:
    transport_end_ = true;
    break;
  case IoStatus::kReset:
    transport_reset_ = true;
    break;
  case IoStatus::kOk:
    drained_ = result.bytes < size; // What comes later is reported as readiness.
    break;
  case IoStatus::kMore:
    break;
  }
  if (result.bytes > 0) {
    return static_cast<int>(result.bytes);
  }
  return transport_end_ ? 0 : -1;
}

int TlsIo::bioWrite(const char* data, size_t size) {
  shared_.records.append(data, size);
  return static_cast<int>(size);
}

// Sends what the library made; false when the transport is beyond use.
bool TlsIo::flush() {
  std::string& records = shared_.records;
  net::Buffer made = net::Buffer::borrow(records);
  if (!unsent_.empty()) {
    unsent_.append(made);
    made = std::exchange(unsent_, net::Buffer());
  }
  bool good = true;
  iovec pieces[16];
  while (good && !made.empty()) {
    const size_t count = made.pieces(absl::MakeSpan(pieces));
    const IoResult result = inner_->write({pieces, count});
    made.drain(result.bytes);
    good = result.status != IoStatus::kReset;
    if (result.bytes == 0) {
      break;
    }
  }
  if (good) {
    unsent_.append(made);
  } else {
    made.clear();
  }
  records.clear();
  return good;
}

// Reading and writing are the library's own business until the handshake is done.
void TlsIo::updateInterest() {
  switch (state_) {
  case State::kConnecting:
    inner_->setWrite(true);
    break;
  case State::kHandshake:
    inner_->setRead(FdEvents::ReadInterest::kData);
    inner_->setWrite(!unsent_.empty());
    break;
  case State::kOpen:
    inner_->setRead(wanted_read_);
    inner_->setWrite(wanted_write_ || !unsent_.empty());
    break;
  case State::kFailed:
  case State::kClosed:
    break;
  }
}

void TlsIo::setRead(FdEvents::ReadInterest interest) {
  wanted_read_ = interest;
  updateInterest();
  if (session_->revoked) {
    reportRevoked();
  } else if (state_ == State::kOpen && look_again_ && interest == FdEvents::ReadInterest::kData) {
    inner_->activate(event::kReadable);
  }
}

void TlsIo::recheck(event::Loop& loop, Revocations& revocations) {
  const auto lists = revocations.lists();
  loop.local<Shared>().revocable.forEach([&](TlsIo& io) {
    if (io.session_->context().revocations() == &revocations) {
      io.recheck(*lists);
    }
  });
}

void TlsIo::recheck(const RevocationLists& lists) {
  SSL* const ssl = session_->ssl();
  const bool lives = state_ == State::kHandshake || state_ == State::kOpen;
  if (lives && !session_->revoked && lists.revoke(SSL_get0_verified_chain(ssl))) {
    session_->revoked = true;
    session_->context().revocations()->countRejection(SSL_is_server(ssl) == 1);
    reportRevoked();
  }
}

// What comes next depends on whether anybody reads.
void TlsIo::reportRevoked() {
  if (state_ == State::kOpen) {
    const bool reads = wanted_read_ == FdEvents::ReadInterest::kData;
    inner_->activate(reads ? event::kReadable : event::kPeerChanged);
  }
}

void TlsIo::setWrite(bool wanted) {
  wanted_write_ = wanted;
  updateInterest();
}

void TlsIo::onReady(uint32_t readiness) {
  if (state_ == State::kOpen && (readiness & event::kWritable) != 0 && !unsent_.empty()) {
    flush(); // A failure shows in the next write or read.
    updateInterest();
    readiness &= wanted_write_ && unsent_.empty() ? ~0u : ~uint32_t{event::kWritable};
  }
  if (readiness != 0) {
    callback_(readiness);
  }
}

IoResult TlsIo::open() {
  if (state_ == State::kConnecting) {
    const IoResult result = inner_->open();
    if (result.status == IoStatus::kReset) {
      failure_ = inner_->failureReason(); // For whoever asks when it is closed.
    }
    if (result.status != IoStatus::kOk) {
      return result;
    }
    state_ = State::kHandshake;
    inner_->setWrite(false);
  }
  return state_ == State::kHandshake ? handshake() : IoResult{IoStatus::kReset};
}

IoResult TlsIo::handshake() {
  beginTurn();
  const int result = SSL_do_handshake(session_->ssl());
  const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(session_->ssl(), result);
  if (result != 1 && error != SSL_ERROR_WANT_READ) {
    fail();
  }
  const bool sent = flush();
  if (state_ == State::kFailed || !sent) {
    state_ = State::kFailed;
    return {IoStatus::kReset};
  }
  if (result != 1) {
    updateInterest();
    if (transport_more_) {
      inner_->activate(event::kReadable);
    }
    return {IoStatus::kMore};
  }
  onHandshakeDone();
  return {IoStatus::kOk};
}

void TlsIo::onHandshakeDone() {
  state_ = State::kOpen;
  look_again_ = SSL_has_pending(session_->ssl()) == 1 || transport_more_ || transport_end_;
  session_->onHandshakeDone();
  setRead(wanted_read_);
}

// Remembers why, and counts it.
void TlsIo::fail() {
  state_ = State::kFailed;
  Failure failure = takeFailure(session_->verify_detail);
  if (transport_reset_) {
    failure_ = transportFailure(inner_->failureReason());
    return;
  }
  failure_ = std::move(failure.text);
  if (!failure_.empty()) {
    session_->context().countFailure(failure.verification, failure.no_certificate);
  }
}

IoResult TlsIo::read(absl::Span<char> into) {
  if (state_ != State::kOpen) {
    return {IoStatus::kReset};
  }
  if (session_->revoked) {
    return {IoStatus::kEnd};
  }
  beginTurn();
  look_again_ = false;
  SSL* const ssl = session_->ssl();
  SSL_set_default_read_buffer_len(ssl, bulk_ ? kBulkReadBytes : kReadBytes);
  size_t bytes = 0;
  int result = 1;
  while (bytes < into.size()) {
    size_t got = 0;
    result = SSL_read_ex(ssl, into.data() + bytes, into.size() - bytes, &got);
    if (result != 1) {
      break;
    }
    bytes += got;
  }
  bulk_ = bytes >= kRecordBytes;
  if (result != 1) {
    return readFailed(result, bytes);
  }
  answer();
  return {SSL_has_pending(ssl) == 1 || transport_more_ ? IoStatus::kMore : IoStatus::kOk, bytes};
}

// Nothing more could be read: for now, or for ever. What was read before comes first.
IoResult TlsIo::readFailed(int result, size_t bytes) {
  const int error = SSL_get_error(session_->ssl(), result);
  IoStatus status = IoStatus::kReset;
  if (error == SSL_ERROR_WANT_READ) {
    status = transport_more_ ? IoStatus::kMore : IoStatus::kOk;
  } else if (error == SSL_ERROR_ZERO_RETURN || (transport_end_ && error == SSL_ERROR_SYSCALL)) {
    status = IoStatus::kEnd;
  } else {
    fail();
  }
  answer();
  updateInterest();
  if (bytes > 0 && status != IoStatus::kOk) {
    return {IoStatus::kMore, bytes};
  }
  return {status, bytes};
}

// Sends what the library had to say while it read: an alert. Changes of keys (RFC 8446, section
// 4.6.3) it answers with the next bytes that are written, however many there were.
void TlsIo::answer() {
  if (!shared_.records.empty()) {
    flush(); // A failure shows in the next write or read.
    updateInterest();
  }
}

void TlsIo::beginTurn() {
  CULVERT_CHECK(shared_.records.empty()); // Else they were another connection's.
  drained_ = false;
  reads_ = 0;
  ERR_clear_error();
}

// Makes at most a batch of records; how many bytes are in them.
size_t TlsIo::encrypt(Pieces& pieces) {
  size_t bytes = 0;
  while (bytes < kBatchBytes) {
    const absl::string_view piece = pieces.next(shared_.gathered);
    if (piece.empty()) {
      break;
    }
    size_t written = 0;
    if (SSL_write_ex(session_->ssl(), piece.data(), piece.size(), &written) != 1) {
      fail();
      break;
    }
    CULVERT_CHECK(written == piece.size()); // Nothing below refuses, and no piece is too long.
    bytes += written;
  }
  return bytes;
}

IoResult TlsIo::write(absl::Span<const iovec> pieces) {
  if (state_ != State::kOpen || (!unsent_.empty() && !flush())) {
    return {IoStatus::kReset};
  }
  if (!unsent_.empty()) {
    return {IoStatus::kOk};
  }
  beginTurn();
  Pieces left(pieces);
  size_t bytes = left.skip(withheld_);
  withheld_ -= bytes;
  while (withheld_ == 0) {
    const size_t batch = encrypt(left);
    if (!flush()) {
      return {IoStatus::kReset, bytes};
    }
    if (batch == 0) {
      break;
    }
    if (unsent_.empty()) {
      bytes += batch;
    } else {
      withheld_ = batch;
    }
  }
  return {state_ == State::kOpen ? IoStatus::kOk : IoStatus::kReset, bytes};
}

void TlsIo::shutdownWrite() { sendCloseNotify(); }

void TlsIo::sendCloseNotify() {
  if (state_ != State::kOpen || notified_) {
    return;
  }
  notified_ = true;
  ERR_clear_error();
  SSL_shutdown(session_->ssl());
  ERR_clear_error();
  flush();
  updateInterest();
}

void TlsIo::close(bool reset) {
  if (!reset && unsent_.empty() && !transport_reset_) {
    sendCloseNotify();
    if (state_ == State::kFailed) {
      inner_->shutdownWrite(); // The alert arrives also where unread input makes the end a reset.
    }
  }
  state_ = State::kClosed;
  unsent_.clear();
  inner_->close(reset);
}

std::string TlsIo::failureReason() const {
  return failure_.empty() && state_ == State::kConnecting ? inner_->failureReason() : failure_;
}

} // namespace culvert::tls::internal
