// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nghttp2/nghttp2.h"
#include "source/hbone/http2_session.h"

namespace culvert::hbone {

// What nghttp2 calls while it takes and makes bytes of a session.
struct Http2Callbacks {
  static nghttp2_session_callbacks* make();

  // The bytes that a stream has in hand, see Http2Session::write.
  static ssize_t readStaged(nghttp2_session*, int32_t stream, uint8_t* buffer, size_t size,
                            uint32_t* flags, nghttp2_data_source* source, void* data);
  // The body of an answer whose stream is gone.
  static ssize_t readBody(nghttp2_session*, int32_t stream, uint8_t* buffer, size_t size,
                          uint32_t* flags, nghttp2_data_source* source, void* data);

private:
  static Http2StreamIo* streamOf(nghttp2_session* session, int32_t id) {
    return static_cast<Http2StreamIo*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static Http2Session& self(void* data) { return *static_cast<Http2Session*>(data); }

  static int onBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* data);
  static int onHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t flags,
                      void* data);
  static int onInvalidHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                             size_t name_size, const uint8_t* value, size_t value_size,
                             uint8_t flags, void* data);
  static int onData(nghttp2_session* session, uint8_t flags, int32_t id, const uint8_t* bytes,
                    size_t size, void* data);
  static int onFrame(nghttp2_session* session, const nghttp2_frame* frame, void* data);
  static int onInvalidFrame(nghttp2_session*, const nghttp2_frame* frame, int error, void* data);
  static int onFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* data);
  static int onStreamClose(nghttp2_session* session, int32_t id, uint32_t code, void* data);
  static int sendData(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size,
                      nghttp2_data_source* source, void* data);

  static void onHeaders(nghttp2_session* session, const nghttp2_frame& frame, Http2Session& self);
  static void onRequest(nghttp2_session* session, const nghttp2_frame& frame, Http2Session& self);
  static void onResponse(Http2StreamIo& stream, Http2Session& self);
  static int onBadMessage(Http2Session& owner);
  static bool isFlood(const nghttp2_frame& frame, Http2Session& self);
};

} // namespace culvert::hbone
