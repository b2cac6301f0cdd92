// Exact models of the deflate encoders that write container layers: given the bytes that the
// producer compressed, a model gives the bytes that the producer wrote, bit for bit. What is packed
// is rebuilt through them, so a model is frozen once data depends on it: a change of its output is
// a new revision beside the old one.
//
// A model is a file and a line in models.cc. It knows raw deflate only: headers, trailers and
// members are the wrapper's business.
#ifndef VARVE_STORAGE_DEFLATE_ENCODER_H_
#define VARVE_STORAGE_DEFLATE_ENCODER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace varve {

// Numbers are on disk.
enum class EncoderFamily : uint16_t {
  kKlauspost = 1,  // github.com/klauspost/compress from 1.15.13, pgzip, Go from 1.27
  kGoFlate = 2,    // Go's compress/flate up to 1.26
  kZlib = 3,
  kPigz = 4,
};

// Which encoder it is, exactly. Equal ones give equal streams.
struct EncoderParameters {
  EncoderFamily family = EncoderFamily::kKlauspost;
  uint16_t revision = 1;     // of the model, counted by this program
  uint64_t flags = 0;        // the family's epochs, as it documents them
  uint8_t level = 0;         // 1 to 9
  uint32_t block_bytes = 0;  // of plain bytes that are compressed independently; 0: one stream

  friend bool operator==(const EncoderParameters&, const EncoderParameters&) = default;
};

// Where a stream can be gone on with, without what was before it but the plain bytes just there.
struct EncoderCheckpoint {
  uint64_t plain_offset = 0;  // the first plain byte that is fed after it
  uint64_t deflate_bits = 0;  // of the stream, written before it
  // Plain bytes right before `plain_offset` that Resume needs, <= 4 MiB.
  uint32_t warm_up_bytes = 0;
  // The family's own, <= 64 KiB; with the bits of a byte not yet full.
  std::string state{};
};

// One stream. Not thread-safe; streams share nothing that changes. Memory is bounded whatever the
// length of the stream (each model says by how much), which may pass 4 GiB.
class DeflateEncoder {
 public:
  virtual ~DeflateEncoder() = default;

  // The next plain bytes, in pieces of any size: the stream does not depend on them. Appends the
  // whole bytes that are certain by now to `deflate`.
  virtual void Write(std::string_view plain, std::string& deflate) = 0;
  // No more plain bytes: appends the rest of the stream. Once, at the end.
  virtual void Finish(std::string& deflate) = 0;

  // The checkpoints that were passed since the last call, in order; none without an interval.
  virtual std::vector<EncoderCheckpoint> TakeCheckpoints() = 0;
};

// InvalidArgument when no such model exists in this build, naming it. Notes a checkpoint at the
// first possible place after every `checkpoint_interval` plain bytes; 0: none.
absl::StatusOr<std::unique_ptr<DeflateEncoder>> NewEncoder(const EncoderParameters& parameters,
                                                           uint64_t checkpoint_interval);

// Goes on at a checkpoint: is fed the plain bytes from `plain_offset`, and gives the stream from
// the byte that has bit `deflate_bits`, that byte whole. `warm_up` is the plain bytes before
// `plain_offset`, `warm_up_bytes` of them. InvalidArgument when the state is not one of the
// family's: checkpoints come from a disk.
absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeEncoder(const EncoderParameters& parameters,
                                                              const EncoderCheckpoint& checkpoint,
                                                              std::string_view warm_up);

// "klauspost 5, blocks of 1048576, flags 0x0", for logs and messages.
std::string Describe(const EncoderParameters& parameters);

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_ENCODER_H_
