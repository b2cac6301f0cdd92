#include "storage/deflate/encoder.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "storage/base/str_cat.h"
#include "storage/deflate/models.h"

namespace varve {
namespace {

const EncoderModel* FindModel(EncoderFamily family) {
  for (const EncoderModel& model : EncoderModels()) {
    if (model.family == family) return &model;
  }
  return nullptr;
}

absl::Status NoSuchModel(const EncoderParameters& parameters) {
  return absl::InvalidArgumentError(
      StrCat("this build has no encoder \"", Describe(parameters),
             "\": use the release that packed the data, or a newer one"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeflateEncoder>> NewEncoder(const EncoderParameters& parameters,
                                                           uint64_t checkpoint_interval) {
  const EncoderModel* model = FindModel(parameters.family);
  if (model == nullptr) return NoSuchModel(parameters);
  return model->start(parameters, checkpoint_interval);
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeEncoder(const EncoderParameters& parameters,
                                                              const EncoderCheckpoint& checkpoint,
                                                              std::string_view warm_up) {
  const EncoderModel* model = FindModel(parameters.family);
  if (model == nullptr) return NoSuchModel(parameters);
  return model->resume(parameters, checkpoint, warm_up);
}

std::string Describe(const EncoderParameters& parameters) {
  const EncoderModel* model = FindModel(parameters.family);
  std::string text = model == nullptr ? StrCat("family ", static_cast<int>(parameters.family))
                                      : std::string(model->name);
  absl::StrAppend(&text, " ", static_cast<int>(parameters.level));
  if (parameters.block_bytes != 0) absl::StrAppend(&text, ", blocks of ", parameters.block_bytes);
  absl::StrAppend(&text, ", flags 0x", absl::Hex(parameters.flags));
  if (parameters.revision != 1) absl::StrAppend(&text, ", revision ", parameters.revision);
  return text;
}

}  // namespace varve
