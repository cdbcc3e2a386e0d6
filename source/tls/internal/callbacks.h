// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/tls/context.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls {

// What the library asks while it shakes hands. Threads: the connection's.
struct Callbacks {
  static int verify(X509_STORE_CTX* chain, void* context);
  static int selectProtocol(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                            const unsigned char* offered, unsigned int offered_length,
                            void* context);
  // Which certificates to show, where there are several: those for the name that was asked for.
  static int selectCertificate(SSL* ssl, void* context);
  static int onSession(SSL* ssl, SSL_SESSION* session);
  static void logKey(const SSL* ssl, const char* line);
};

} // namespace culvert::tls
