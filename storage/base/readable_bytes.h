// Bytes that can be read from any offset, wherever they come from. Many threads may read one at
// once.
#ifndef VARVE_STORAGE_BASE_READABLE_BYTES_H_
#define VARVE_STORAGE_BASE_READABLE_BYTES_H_

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace varve {

class ReadableBytes {
 public:
  virtual ~ReadableBytes() = default;

  // Fills `out` from `offset`; returns the bytes read, fewer than asked only at the end.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<char> out) const = 0;
  // How many bytes from `offset` on, if the source has as many, can be read now, without waiting
  // for them to be made.
  virtual uint64_t Available(uint64_t /*offset*/) const {
    return std::numeric_limits<uint64_t>::max();
  }
  // All bytes, when they are in memory anyway; else none.
  virtual std::string_view in_memory() const { return {}; }
  // A descriptor for sendfile(2), owned by this object, where the available bytes are at their
  // offsets; -1 when there is none.
  virtual int descriptor() const { return -1; }
};

class BytesInMemory final : public ReadableBytes {
 public:
  explicit BytesInMemory(std::string bytes) : bytes_(std::move(bytes)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<char> out) const override {
    if (offset >= bytes_.size()) return size_t{0};
    return bytes_.copy(out.data(), out.size(), static_cast<size_t>(offset));
  }
  std::string_view in_memory() const override { return bytes_; }

 private:
  const std::string bytes_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_READABLE_BYTES_H_
