// SPDX-License-Identifier: Apache-2.0
#include "source/net/buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace culvert::net {
namespace {

constexpr size_t kChunkBytes = 16 * 1024;

} // namespace

void Buffer::append(absl::string_view bytes) {
  own();
  appendOwned(bytes);
}

void Buffer::append(Buffer& other) {
  own();
  appendOwned(other.borrowed_);
  other.borrowed_ = {};
  if (other.chunks_ == nullptr)
    return;
  if (chunks_ == nullptr) {
    chunks_ = std::move(other.chunks_);
  } else {
    for (Chunk& chunk : *other.chunks_)
      chunks_->push_back(std::move(chunk));
    other.chunks_.reset();
  }
  owned_bytes_ += std::exchange(other.owned_bytes_, 0);
}

void Buffer::own() {
  if (borrowed_.empty())
    return;
  Buffer rest;
  rest.chunks_ = std::move(chunks_);
  rest.owned_bytes_ = std::exchange(owned_bytes_, 0);
  appendOwned(std::exchange(borrowed_, {}));
  append(rest);
}

void Buffer::appendOwned(absl::string_view bytes) {
  if (bytes.empty())
    return;
  if (chunks_ == nullptr)
    chunks_ = std::make_unique<std::deque<Chunk>>();
  owned_bytes_ += bytes.size();
  if (!chunks_->empty()) {
    Chunk& last = chunks_->back();
    const size_t fits = std::min(bytes.size(), last.capacity - last.end);
    std::memcpy(last.data.get() + last.end, bytes.data(), fits);
    last.end += fits;
    bytes.remove_prefix(fits);
  }
  if (bytes.empty())
    return;
  const size_t capacity = std::max(bytes.size(), chunks_->empty() ? bytes.size() : kChunkBytes);
  Chunk chunk{std::unique_ptr<char[]>(new char[capacity]), 0, bytes.size(), capacity};
  std::memcpy(chunk.data.get(), bytes.data(), bytes.size());
  chunks_->push_back(std::move(chunk));
}

Buffer Buffer::takeChunks(size_t bytes) {
  Buffer taken;
  while (borrowed_.empty() && owned_bytes_ > 0) {
    Chunk& first = chunks_->front();
    const size_t size = first.end - first.begin;
    if (taken.owned_bytes_ + size > bytes)
      break;
    if (taken.chunks_ == nullptr)
      taken.chunks_ = std::make_unique<std::deque<Chunk>>();
    taken.chunks_->push_back(std::move(first));
    chunks_->pop_front();
    taken.owned_bytes_ += size;
    owned_bytes_ -= size;
  }
  if (owned_bytes_ == 0)
    chunks_.reset();
  return taken;
}

void Buffer::drain(size_t bytes) {
  const size_t from_borrowed = std::min(bytes, borrowed_.size());
  borrowed_.remove_prefix(from_borrowed);
  bytes -= from_borrowed;
  while (bytes > 0) {
    Chunk& first = chunks_->front();
    const size_t taken = std::min(bytes, first.end - first.begin);
    first.begin += taken;
    owned_bytes_ -= taken;
    bytes -= taken;
    if (first.begin == first.end)
      chunks_->pop_front();
  }
  if (owned_bytes_ == 0)
    chunks_.reset();
}

absl::string_view Buffer::front() const {
  if (!borrowed_.empty() || chunks_ == nullptr)
    return borrowed_;
  const Chunk& first = chunks_->front();
  return {first.data.get() + first.begin, first.end - first.begin};
}

size_t Buffer::pieces(absl::Span<iovec> out) const {
  size_t used = 0;
  const auto add = [&](const char* data, size_t size) {
    out[used++] = {const_cast<char*>(data), size};
  };
  if (!borrowed_.empty() && used < out.size())
    add(borrowed_.data(), borrowed_.size());
  if (chunks_ == nullptr)
    return used;
  for (const Chunk& chunk : *chunks_) {
    if (used == out.size())
      break;
    add(chunk.data.get() + chunk.begin, chunk.end - chunk.begin);
  }
  return used;
}

std::string Buffer::peek(size_t bytes) const {
  std::string out(borrowed_.substr(0, bytes));
  if (chunks_ == nullptr)
    return out;
  for (const Chunk& chunk : *chunks_) {
    if (out.size() >= bytes)
      break;
    out.append(chunk.data.get() + chunk.begin,
               std::min(chunk.end - chunk.begin, bytes - out.size()));
  }
  return out;
}

} // namespace culvert::net
