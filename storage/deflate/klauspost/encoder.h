// The family kKlauspost: github.com/klauspost/compress from 1.15.13, pgzip, and Go from 1.27, at
// levels 1 to 9. flags.h has the epochs. A stream takes less than 1.5 MiB whatever its length.
//
// Checkpoints: of one stream, at any block of levels 1 to 6 and at nearly any of levels 7 to 9,
// with a warm-up of 32 to 64 KiB (level 4 with kMisplacedSecondMatch: up to 320 KiB) and a state of
// up to 16 KiB; of blocks, at each of them. Resume is exact at every one.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_ENCODER_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_ENCODER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/deflate/encoder.h"

namespace varve::klauspost {

// A block of pgzip is longer than the dictionary that it leaves to the next.
inline constexpr uint32_t kDictionaryBytes = 16384;

absl::StatusOr<std::unique_ptr<DeflateEncoder>> Start(const EncoderParameters& parameters,
                                                      uint64_t checkpoint_interval);
absl::StatusOr<std::unique_ptr<DeflateEncoder>> Resume(const EncoderParameters& parameters,
                                                       const EncoderCheckpoint& checkpoint,
                                                       std::string_view warm_up);

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_ENCODER_H_
