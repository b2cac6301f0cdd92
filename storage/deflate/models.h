// The one table of encoder models.
#ifndef VARVE_STORAGE_DEFLATE_MODELS_H_
#define VARVE_STORAGE_DEFLATE_MODELS_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/deflate/encoder.h"

namespace varve {

struct EncoderModel {
  EncoderFamily family;
  std::string_view name;
  uint16_t revision;  // the newest
  // InvalidArgument for parameters that the model has no encoder for.
  absl::StatusOr<std::unique_ptr<DeflateEncoder>> (*start)(const EncoderParameters& parameters,
                                                           uint64_t checkpoint_interval);
  absl::StatusOr<std::unique_ptr<DeflateEncoder>> (*resume)(const EncoderParameters& parameters,
                                                            const EncoderCheckpoint& checkpoint,
                                                            std::string_view warm_up);
};

absl::Span<const EncoderModel> EncoderModels();

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_MODELS_H_
