// The bits of a deflate stream, the first in the lowest bit of a byte.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_BIT_WRITER_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_BIT_WRITER_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace varve::klauspost {

class BitWriter {
 public:
  // The most bits of one Write.
  static constexpr uint32_t kMaxBits = 56;

  // `bits` has nothing above its lowest `count`.
  void Write(uint64_t bits, uint32_t count) { Burst(*this).Write(bits, count); }

  // Many writes: what is pending stays in registers until the end of the scope.
  class Burst {
   public:
    explicit Burst(BitWriter& out)
        : out_(out), pending_(out.pending_), pending_bits_(out.pending_bits_), size_(out.size_) {}
    ~Burst() { Return(); }
    Burst(const Burst&) = delete;
    Burst& operator=(const Burst&) = delete;

    void Write(uint64_t bits, uint32_t count) {
      pending_ |= bits << pending_bits_;
      pending_bits_ += count;
      // Eight bytes are stored always and as many are kept as are full: no branch.
      std::memcpy(&out_.bytes_[size_], &pending_, sizeof(pending_));
      size_ += pending_bits_ / 8;
      pending_ >>= pending_bits_ & ~7u;
      pending_bits_ &= 7;
      if (size_ >= kBufferBytes) [[unlikely]] {
        Return();
        out_.Spill();
        size_ = 0;
      }
    }

   private:
    void Return() {
      out_.pending_ = pending_;
      out_.pending_bits_ = pending_bits_;
      out_.size_ = size_;
    }

    BitWriter& out_;
    uint64_t pending_;
    uint32_t pending_bits_;
    size_t size_;
  };

  // Zeros up to the next byte.
  void PadToByte() {
    if (pending_bits_ != 0) Write(0, 8 - pending_bits_);
  }

  // Only at a byte.
  void WriteBytes(std::string_view bytes) {
    Spill();
    spilled_bytes_ += bytes.size();
    spilled_.append(bytes);
  }

  // Appends the whole bytes to `out`.
  void Drain(std::string& out) {
    out.append(spilled_);
    out.append(bytes_.data(), size_);
    spilled_.clear();
    spilled_bytes_ += size_;
    size_ = 0;
  }

  uint64_t bits() const { return (spilled_bytes_ + size_) * 8 + pending_bits_; }
  // Of the byte that is not full yet.
  uint8_t pending() const { return static_cast<uint8_t>(pending_); }

  // Goes on in a stream after `bits`, of which `pending` are those of the last byte.
  void Resume(uint64_t bits, uint8_t pending) {
    spilled_bytes_ = bits / 8;
    pending_bits_ = bits % 8;
    pending_ = pending;
  }

 private:
  static constexpr size_t kBufferBytes = 4096;

  void Spill() {
    spilled_.append(bytes_.data(), size_);
    spilled_bytes_ += size_;
    size_ = 0;
  }

  uint64_t pending_ = 0;
  uint32_t pending_bits_ = 0;  // below 8 between calls
  size_t size_ = 0;
  uint64_t spilled_bytes_ = 0;
  std::string spilled_;
  std::array<char, kBufferBytes + sizeof(uint64_t)> bytes_;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_BIT_WRITER_H_
