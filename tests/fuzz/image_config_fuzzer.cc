// Image configs and filters, which clients write. Input: filters, one a line, then an empty line,
// then the bytes of a config, or of an index whose platforms are read.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/str_cat.h"
#include "storage/image/image_config.h"
#include "storage/image/image_filter.h"
#include "storage/image/platform.h"
#include "storage/limits.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

constexpr TimeReference kReference = {1'640'995'200 * kNanosPerSecond, 3600};

// A refusal is a short sentence that a terminal and a log can show.
void CheckRefusal(const absl::Status& status) {
  FUZZ_INVARIANT(status.code() == absl::StatusCode::kInvalidArgument);
  const std::string_view sentence = ToStd(status.message());
  FUZZ_INVARIANT(!sentence.empty() && sentence.size() < 500);
  FUZZ_INVARIANT(
      std::all_of(sentence.begin(), sentence.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

void CheckConfig(std::string_view bytes, const ImageFilter& filter) {
  const absl::StatusOr<ParsedImageConfig> config = ParseImageConfig(bytes);
  if (!config.ok()) return CheckRefusal(config.status());
  FUZZ_INVARIANT(config->labels.size() <= kMaxConfigEntries);
  FUZZ_INVARIANT(std::is_sorted(config->labels.begin(), config->labels.end()));
  for (size_t i = 1; i < config->labels.size(); ++i) {
    FUZZ_INVARIANT(config->labels[i - 1].first != config->labels[i].first);
  }
  FUZZ_INVARIANT(config->labels.empty() || !config->runtime_json.empty());
  // What is shown of the config reads back, with the same labels; numbers too large for 64 bits
  // lose their last digits each time.
  if (!config->runtime_json.empty() && config->runtime_json.size() + 20 < kMaxConfigBytes) {
    const absl::StatusOr<ParsedImageConfig> again =
        ParseImageConfig(StrCat("{\"config\":", config->runtime_json, "}"));
    FUZZ_INVARIANT(again.ok() && again->labels == config->labels);
  }
  for (const LabelPattern& pattern : filter.labels) {
    const bool has = std::any_of(config->labels.begin(), config->labels.end(), [&](const auto& l) {
      return l.first == pattern.key && pattern.value.value_or(l.second) == l.second;
    });
    FUZZ_INVARIANT(has || !filter.MatchesLabels(config->labels));
  }
}

void CheckPlatforms(std::string_view bytes) {
  const absl::StatusOr<std::vector<Platform>> platforms = ParseChildPlatforms(bytes);
  if (!platforms.ok()) return CheckRefusal(platforms.status());
  for (const Platform& platform : *platforms) {
    FUZZ_INVARIANT(platform.os.empty() || IsFor(platform, platform));
  }
}

ImageFilter CheckFilter(const std::vector<std::string>& filters) {
  absl::StatusOr<ImageFilter> filter = ParseImageFilter(filters, ListFilterKeys(), kReference);
  const absl::StatusOr<ImageFilter> prune =
      ParseImageFilter(filters, PruneFilterKeys(), kReference);
  if (!prune.ok()) CheckRefusal(prune.status());
  if (!filter.ok()) {
    CheckRefusal(filter.status());
    FUZZ_INVARIANT(!prune.ok());
    return ImageFilter();
  }
  FUZZ_INVARIANT(filters.size() <= kMaxFilters);
  if (filter->until_nanos.has_value()) {
    FUZZ_INVARIANT(filter->MatchesTime(*filter->until_nanos));
  }
  for (const GlobPattern& pattern : filter->references) {
    const bool matches = pattern.Matches("library/debian:12");
    FUZZ_INVARIANT(!matches || filter->MatchesName("library/debian", "library/debian:12"));
  }
  return *std::move(filter);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> filters;
  while (!input.empty() && filters.size() <= varve::kMaxFilters) {
    const size_t line_feed = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, line_feed);
    input.remove_prefix(std::min(input.size(), line_feed + 1));
    if (line.empty()) break;
    filters.emplace_back(line);
    const absl::StatusOr<varve::Platform> platform = varve::ParsePlatform(line);
    if (!platform.ok()) varve::CheckRefusal(platform.status());
  }
  const varve::ImageFilter filter = varve::CheckFilter(filters);
  varve::CheckConfig(input, filter);
  varve::CheckPlatforms(input);
  return 0;
}
