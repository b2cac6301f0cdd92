// Takes gzip apart for analysis, as a stream: members, their headers and trailers byte for byte,
// the plain bytes, and what follows the last member. Input is not trusted: checksums and lengths
// are verified, and what inflates beyond all measure ends with an error.
//
// Memory: 104 KiB and the header of a member, at most 128 KiB. Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_INFLATE_H_
#define VARVE_STORAGE_DEFLATE_INFLATE_H_

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace varve {

struct GzipPiece {
  enum class Kind : uint8_t {
    kHeader,    // of a member, whole
    kData,      // some of its deflate stream, and the plain bytes that came out for it
    kTrailer,   // of the member, whole: checksum and length, which were right
    kTrailing,  // bytes after the last member that are none
    kStarved,   // nothing: more input is needed
    kEnd,       // nothing: the input has ended, and not within a member
  };
  Kind kind = Kind::kStarved;
  std::string_view bytes = {};  // of the input: those of all pieces together are the input
  std::string_view plain = {};
  // Of kData: the member's deflate stream has ended with these bytes.
  bool last = false;
};

class GzipInflater {
 public:
  struct Limits {
    uint64_t max_plain_bytes = UINT64_MAX;
    // Plain bytes for each byte of input; deflate cannot pass 1032.
    uint64_t max_ratio = 1032;
    // Plain bytes for which the ratio is not looked at.
    uint64_t free_plain_bytes = 1 << 20;
  };

  explicit GzipInflater(const Limits& limits);
  ~GzipInflater();
  GzipInflater(const GzipInflater&) = delete;
  GzipInflater& operator=(const GzipInflater&) = delete;

  // More input, which stays until a piece is kStarved; only when one was, or at the start.
  void Feed(std::string_view input);
  void EndInput() { input_ended_ = true; }

  // The next piece; its views hold until the next call. InvalidArgument when the input is no gzip,
  // is damaged or cut off, ResourceExhausted when it passes the limits; the same again then.
  absl::StatusOr<GzipPiece> Next();

  // Of the input, in the pieces so far.
  uint64_t position() const { return position_; }
  uint64_t plain_bytes() const { return plain_bytes_; }

 private:
  enum class State : uint8_t { kBetween, kHeader, kData, kTrailer, kTrailing };

  absl::StatusOr<GzipPiece> Step();
  absl::StatusOr<GzipPiece> ReadHeader();
  absl::StatusOr<GzipPiece> ReadData();
  absl::StatusOr<GzipPiece> ReadTrailer();
  GzipPiece ReadTrailing();
  // `taken` is of the input, of the piece.
  absl::Status CheckLimits(size_t taken) const;
  absl::Status Damaged(std::string_view what) const;
  // Moves input to held_ until that has `size` bytes; whether it has.
  bool Hold(size_t size);
  GzipPiece ShowHeld(GzipPiece::Kind kind);

  const Limits limits_;
  z_stream stream_{};
  State state_ = State::kBetween;
  absl::Status failure_;
  std::string_view input_;
  bool input_ended_ = false;
  std::string held_;   // of a header or trailer that came in parts
  std::string shown_;  // such a one, in the last piece
  std::vector<Bytef> plain_;
  uint64_t position_ = 0;
  uint64_t plain_bytes_ = 0;
  uint64_t members_ = 0;
  uint32_t checksum_ = 0;      // of the member's plain bytes
  uint32_t member_plain_ = 0;  // how many, less multiples of 2^32
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_INFLATE_H_
