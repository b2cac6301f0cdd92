#include "storage/deflate/models.h"

#include "absl/status/status.h"
#include "storage/base/str_cat.h"
#include "storage/deflate/go_flate.h"
#include "storage/deflate/pigz_encoder.h"
#include "storage/deflate/zlib_encoder.h"

namespace varve {
namespace {

constexpr EncoderModel kModels[] = {
    {EncoderFamily::kGoFlate, "go", 1, &StartGoFlate, &ResumeGoFlate},
    {EncoderFamily::kZlib, "zlib", 1, &StartZlib, &ResumeZlib},
    {EncoderFamily::kPigz, "pigz", 1, &StartPigz, &ResumePigz},
};

absl::StatusOr<const EncoderModel*> FindModel(const EncoderParameters& parameters) {
  for (const EncoderModel& model : kModels) {
    if (model.family == parameters.family && parameters.revision >= 1 &&
        parameters.revision <= model.revision) {
      return &model;
    }
  }
  return absl::InvalidArgumentError(
      StrCat("this build has no model of the deflate encoder ", Describe(parameters),
             "; use the version of varved that packed the blob, or a newer one"));
}

}  // namespace

absl::Span<const EncoderModel> EncoderModels() { return kModels; }

absl::StatusOr<std::unique_ptr<DeflateEncoder>> NewEncoder(const EncoderParameters& parameters,
                                                           uint64_t checkpoint_interval) {
  const auto model = FindModel(parameters);
  if (!model.ok()) return model.status();
  return (*model)->start(parameters, checkpoint_interval);
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeEncoder(const EncoderParameters& parameters,
                                                              const EncoderCheckpoint& checkpoint,
                                                              std::string_view warm_up) {
  const auto model = FindModel(parameters);
  if (!model.ok()) return model.status();
  return (*model)->resume(parameters, checkpoint, warm_up);
}

std::string Describe(const EncoderParameters& parameters) {
  std::string name = StrCat("family ", static_cast<unsigned>(parameters.family));
  for (const EncoderModel& model : kModels) {
    if (model.family == parameters.family) name = std::string(model.name);
  }
  const std::string blocks =
      parameters.block_bytes == 0 ? "one stream" : StrCat("blocks of ", parameters.block_bytes);
  return StrCat(name, " ", static_cast<unsigned>(parameters.level), ", ", blocks, ", flags 0x",
                absl::Hex(parameters.flags),
                parameters.revision == 1 ? "" : StrCat(", revision ", parameters.revision));
}

}  // namespace varve
