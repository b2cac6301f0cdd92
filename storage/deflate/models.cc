#include "storage/deflate/models.h"

#include <array>

#include "storage/deflate/go_flate.h"
#include "storage/deflate/klauspost/encoder.h"
#include "storage/deflate/pigz_encoder.h"
#include "storage/deflate/zlib_encoder.h"

namespace varve {
namespace {

constexpr std::array kModels = {
    EncoderModel{EncoderFamily::kKlauspost, "klauspost", 1, klauspost::Start, klauspost::Resume},
    EncoderModel{EncoderFamily::kGoFlate, "go", 1, StartGoFlate, ResumeGoFlate},
    EncoderModel{EncoderFamily::kZlib, "zlib", 1, StartZlib, ResumeZlib},
    EncoderModel{EncoderFamily::kPigz, "pigz", 1, StartPigz, ResumePigz},
};

}  // namespace

absl::Span<const EncoderModel> EncoderModels() { return kModels; }

}  // namespace varve
