// SPDX-License-Identifier: Apache-2.0
// The client of tools/bench --tls: load_client's work inside TLS 1.3, by blocking sockets with a
// thread for each connection. Prints a JSON line.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <getopt.h>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "openssl/err.h"
#include "openssl/ssl.h"
#include "test/bench/sockets.h"
#include "test/bench/wire.h"
#include "test/bench/work.h"

namespace culvert::bench {
namespace {

constexpr char kUsage[] =
    "usage: tls_client upload|download|requests|handshakes|resumptions|idle --port=PORT\n"
    "         [--host=IPV4] [--connections=N] [--bytes=PER_STREAM] [--count=UNITS]\n"
    "         [--seconds=LIMIT]\n";

// The same for every proxy, whatever each likes best.
constexpr char kCipher[] = "TLS_AES_128_GCM_SHA256";
constexpr char kGroup[] = "X25519";
constexpr size_t kChunkBytes = 256 * 1024;

struct Free {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;
using Session = std::unique_ptr<SSL_SESSION, Free>;

int onSession(SSL* ssl, SSL_SESSION* session) {
  static_cast<Session*>(SSL_get_app_data(ssl))->reset(session);
  return 1;
}

Context makeContext() {
  Context ctx(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(ctx.get(), TLS1_3_VERSION);
  if (SSL_CTX_set_ciphersuites(ctx.get(), kCipher) != 1 ||
      SSL_CTX_set1_groups_list(ctx.get(), kGroup) != 1) {
    die("cipher or group");
  }
  SSL_CTX_set_session_cache_mode(ctx.get(),
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(ctx.get(), onSession);
  return ctx;
}

[[noreturn]] void dieOfTls(const char* what) {
  ERR_print_errors_fp(stderr);
  die(what);
}

// One connection to the proxy. Ends with close_notify and FIN.
class Stream {
public:
  // Offers the session in `session`, if there is one, and leaves the newest there. `session`
  // outlives the stream.
  Stream(SSL_CTX* ctx, const Work& work, Session& session)
      : fd_(connectBlocking(work.port, work.host)), ssl_(SSL_new(ctx)) {
    SSL_set_fd(ssl_.get(), fd_);
    SSL_set_app_data(ssl_.get(), &session);
    if (session != nullptr) {
      SSL_set_session(ssl_.get(), session.get());
    }
    if (SSL_connect(ssl_.get()) != 1) {
      dieOfTls("handshake");
    }
  }
  ~Stream() {
    SSL_shutdown(ssl_.get());
    close(fd_);
  }

  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

  void write(const void* data, size_t size) {
    size_t written = 0;
    if (SSL_write_ex(ssl_.get(), data, size, &written) != 1 || written != size) {
      dieOfTls("write");
    }
  }
  size_t read(void* into, size_t size) {
    size_t got = 0;
    if (SSL_read_ex(ssl_.get(), into, size, &got) != 1) {
      dieOfTls("the connection ended early");
    }
    return got;
  }
  void readAll(char* into, size_t size) {
    for (size_t got = 0; got < size;) {
      got += read(into + got, size - got);
    }
  }

private:
  const int fd_;
  std::unique_ptr<SSL, Free> ssl_;
};

class Load {
public:
  explicit Load(const Work& work) : work_(work), ctx_(makeContext()) {}

  void bulk(bool upload) {
    spread([this, upload] { carry(upload); });
    print();
  }
  void requests() {
    spread([this] { pingPong(); });
    print();
  }
  void handshakes(bool resume) {
    spread([this, resume] { shake(resume); });
    print();
  }
  void idle() {
    std::vector<std::unique_ptr<Stream>> held;
    Session session;
    for (uint32_t i = 0; i < work_.connections; ++i) {
      session.reset();
      held.push_back(std::make_unique<Stream>(ctx_.get(), work_, session));
      greet(*held.back());
    }
    count_ = held.size();
    print();
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
  }

private:
  template <class Job> void spread(Job job) {
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < work_.connections; ++i) {
      threads.emplace_back(job);
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  bool mayBegin() { return nowNs() < deadline_ns_ && begun_.fetch_add(1) < work_.count; }

  void carry(bool upload) {
    Session session;
    Stream stream(ctx_.get(), work_, session);
    const Hello hello{upload ? Mode::kUpload : Mode::kDownload, work_.bytes_per_stream};
    stream.write(&hello, sizeof(hello));
    std::string chunk(kChunkBytes, 'x');
    for (uint64_t left = work_.bytes_per_stream; left > 0;) {
      const size_t size = std::min<uint64_t>(left, chunk.size());
      if (upload) {
        stream.write(chunk.data(), size);
      }
      left -= upload ? size : stream.read(chunk.data(), size);
    }
    if (upload) {
      stream.read(chunk.data(), 1); // The server's receipt.
    }
    bytes_ += work_.bytes_per_stream;
  }

  static void greet(Stream& stream) {
    const Hello hello{Mode::kRequests, kRequestBytes};
    std::array<char, sizeof(Hello) + kRequestBytes> greeting{};
    std::memcpy(greeting.data(), &hello, sizeof(hello));
    stream.write(greeting.data(), greeting.size());
    stream.readAll(greeting.data(), kRequestBytes);
  }

  void pingPong() {
    Session session;
    Stream stream(ctx_.get(), work_, session);
    greet(stream);
    std::array<char, kRequestBytes> request{};
    while (mayBegin()) {
      stream.write(request.data(), request.size());
      stream.readAll(request.data(), request.size());
      ++count_;
    }
  }

  void shake(bool resume) {
    Session session;
    if (resume) {
      Stream first(ctx_.get(), work_, session);
      greet(first);
    }
    while (mayBegin()) {
      if (!resume) {
        session.reset();
      }
      Stream stream(ctx_.get(), work_, session);
      if (stream.resumed() != resume) {
        die(resume ? "the session was not resumed" : "a session was resumed");
      }
      greet(stream);
      ++count_;
    }
  }

  void print() const {
    const double seconds = static_cast<double>(nowNs() - start_ns_) / 1e9;
    std::printf("{\"count\": %llu, \"bytes\": %llu, \"seconds\": %.6f}\n",
                static_cast<unsigned long long>(count_), static_cast<unsigned long long>(bytes_),
                seconds);
    std::fflush(stdout);
  }

  const Work work_;
  const Context ctx_;
  const int64_t start_ns_ = nowNs();
  const int64_t deadline_ns_ = start_ns_ + work_.seconds * 1000000000;
  std::atomic<uint64_t> begun_ = 0;
  std::atomic<uint64_t> count_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
};

bool run(const std::string& mode, const Work& work) {
  Load load(work);
  if (mode == "upload" || mode == "download") {
    load.bulk(mode == "upload");
  } else if (mode == "requests") {
    load.requests();
  } else if (mode == "handshakes" || mode == "resumptions") {
    load.handshakes(mode == "resumptions");
  } else if (mode == "idle") {
    load.idle();
  } else {
    return false;
  }
  return true;
}

} // namespace
} // namespace culvert::bench

int main(int argc, char** argv) {
  culvert::bench::raiseFileLimit();
  culvert::bench::Work work;
  if (culvert::bench::readOptions(argc, argv, work) && culvert::bench::run(argv[optind], work)) {
    return 0;
  }
  std::fputs(culvert::bench::kUsage, stderr);
  return 1;
}
