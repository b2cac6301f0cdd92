// Fixed-width and length-prefixed encodings used by index keys and rows. Integers of keys are
// big-endian, so that they sort as numbers; rows use the same form.
#ifndef VARVE_STORAGE_BASE_BYTES_H_
#define VARVE_STORAGE_BASE_BYTES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/check.h"

namespace varve {

inline void AppendU8(std::string* out, uint8_t value) { out->push_back(static_cast<char>(value)); }

inline void AppendU32(std::string* out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

inline void AppendU64(std::string* out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

// u32 length, then the bytes.
inline void AppendString(std::string* out, std::string_view value) {
  CheckInvariant(value.size() <= UINT32_MAX, "the length of a string has 32 bits");
  AppendU32(out, static_cast<uint32_t>(value.size()));
  out->append(value);
}

// Reads what the Append functions wrote, front to back. After any short read ok() is false for good
// and every further read gives zero or empty, so that callers check once, at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t U8() { return static_cast<uint8_t>(Big(1)); }
  uint32_t U32() { return static_cast<uint32_t>(Big(4)); }
  uint64_t U64() { return Big(8); }
  int64_t I64() { return static_cast<int64_t>(Big(8)); }
  std::string_view String() { return Raw(U32()); }
  std::string_view Raw(size_t size) {
    if (!Need(size)) return {};
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  bool Need(size_t size) {
    if (rest_.size() < size) ok_ = false;
    return ok_;
  }
  uint64_t Big(size_t size) {
    if (!Need(size)) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value = (value << 8) | static_cast<uint8_t>(rest_[i]);
    rest_.remove_prefix(size);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_BYTES_H_
