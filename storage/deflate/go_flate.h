// The family kGoFlate: Go's compress/flate up to 1.26 at levels 1 and 4 to 9, as one stream,
// without flags. Levels 2 and 3 are not modelled: no producer of layers uses them.
#ifndef VARVE_STORAGE_DEFLATE_GO_FLATE_H_
#define VARVE_STORAGE_DEFLATE_GO_FLATE_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/deflate/encoder.h"

namespace varve {

absl::StatusOr<std::unique_ptr<DeflateEncoder>> StartGoFlate(const EncoderParameters& parameters,
                                                             uint64_t checkpoint_interval);
absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeGoFlate(const EncoderParameters& parameters,
                                                              const EncoderCheckpoint& checkpoint,
                                                              std::string_view warm_up);

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_GO_FLATE_H_
