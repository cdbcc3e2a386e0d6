// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/key.h"

#include <openssl/ec_key.h>

namespace culvert::tls::internal {

PkeyPtr makeEcKey() {
  const std::unique_ptr<EC_KEY, Freer<EC_KEY_free>> key(
      EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  PkeyPtr made(EVP_PKEY_new());
  const bool good = key != nullptr && made != nullptr && EC_KEY_generate_key(key.get()) == 1 &&
                    EVP_PKEY_set1_EC_KEY(made.get(), key.get()) == 1;
  return good ? std::move(made) : nullptr;
}

} // namespace culvert::tls::internal
