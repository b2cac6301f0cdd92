// Bits in deflate's order: the first in the lowest place of the first byte. Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_GO_BIT_WRITER_H_
#define VARVE_STORAGE_DEFLATE_GO_BIT_WRITER_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace varve {

static_assert(std::endian::native == std::endian::little, "words are stored as they are");

// Writes at the end of a string that is opened for a known number of bytes: what is put between
// Open and Close is not looked at for room.
class GoBitWriter {
 public:
  // At a place of a stream: `bits` were written before it, of which those of a byte not yet full
  // are the lowest of `partial`.
  GoBitWriter(uint64_t bits, uint8_t partial)
      : accumulator_(partial), count_(static_cast<unsigned>(bits % 8)), whole_bytes_(bits / 8) {}

  // Room for `bits` more, counted from the byte that is not yet full.
  void Open(std::string& out, uint64_t bits) {
    out_ = &out;
    start_ = out.size();
    out.resize(start_ + static_cast<size_t>(bits / 8) + kSlackBytes);
    next_ = out.data() + start_;
  }
  void Close() {
    const auto written = static_cast<size_t>(next_ - (out_->data() + start_));
    out_->resize(start_ + written);
    whole_bytes_ += written;
  }

  // The lowest `count` bits, at most 56; those above must be 0.
  void Put(uint64_t bits, unsigned count) {
    accumulator_ |= bits << count_;
    count_ += count;
    std::memcpy(next_, &accumulator_, sizeof accumulator_);
    next_ += count_ / 8;
    accumulator_ >>= count_ & ~7U;
    count_ %= 8;
  }
  void FillByte() { Put(0, (8 - count_) % 8); }
  // Only where a byte ends.
  void PutBytes(std::string_view bytes) { next_ = std::copy(bytes.begin(), bytes.end(), next_); }

  // Of the stream, those of a byte not yet full with them. Only when closed.
  uint64_t bits() const { return whole_bytes_ * 8 + count_; }
  uint8_t partial() const { return static_cast<uint8_t>(accumulator_); }

 private:
  // Put stores eight bytes wherever it is.
  static constexpr size_t kSlackBytes = 16;

  uint64_t accumulator_;  // always less than one byte between two calls
  unsigned count_;
  uint64_t whole_bytes_;
  std::string* out_ = nullptr;
  size_t start_ = 0;
  char* next_ = nullptr;
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_GO_BIT_WRITER_H_
