#include "storage/deflate/models.h"

#include <array>

#include "storage/deflate/klauspost/encoder.h"

namespace varve {
namespace {

constexpr std::array kModels = {
    EncoderModel{EncoderFamily::kKlauspost, "klauspost", 1, klauspost::Start, klauspost::Resume},
};

}  // namespace

absl::Span<const EncoderModel> EncoderModels() { return kModels; }

}  // namespace varve
