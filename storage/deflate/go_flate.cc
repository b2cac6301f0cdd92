#include "storage/deflate/go_flate.h"

#include "absl/status/status.h"
#include "storage/base/str_cat.h"
#include "storage/deflate/go_chain_encoder.h"
#include "storage/deflate/go_fast_encoder.h"

namespace varve {
namespace {

absl::Status CheckParameters(const EncoderParameters& parameters) {
  const bool level_known =
      parameters.level == 1 || (parameters.level >= 4 && parameters.level <= 9);
  if (level_known && parameters.revision == 1 && parameters.flags == 0 &&
      parameters.block_bytes == 0)
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("there is no model of ", Describe(parameters),
             "; of Go's compress/flate there are levels 1 and 4 to 9, one stream, without flags"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeflateEncoder>> StartGoFlate(const EncoderParameters& parameters,
                                                             uint64_t checkpoint_interval) {
  if (absl::Status status = CheckParameters(parameters); !status.ok()) return status;
  if (parameters.level == 1) return std::make_unique<GoFastEncoder>(checkpoint_interval);
  return std::make_unique<GoChainEncoder>(parameters.level, checkpoint_interval);
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeGoFlate(const EncoderParameters& parameters,
                                                              const EncoderCheckpoint& checkpoint,
                                                              std::string_view warm_up) {
  if (absl::Status status = CheckParameters(parameters); !status.ok()) return status;
  if (parameters.level == 1) return GoFastEncoder::Resume(checkpoint, warm_up);
  return GoChainEncoder::Resume(parameters.level, checkpoint, warm_up);
}

}  // namespace varve
