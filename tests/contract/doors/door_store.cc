#include "tests/contract/doors/door_store.h"

namespace varve {

absl::Status WithMissingDigest(absl::Status status, std::string_view text) {
  if (!absl::IsFailedPrecondition(status)) return status;
  for (const std::string_view algorithm : {"sha256:", "sha512:"}) {
    const size_t begin = text.find(algorithm);
    if (begin == std::string_view::npos) continue;
    const size_t hex = begin + algorithm.size();
    const size_t end = text.find_first_not_of("0123456789abcdef", hex);
    status.SetPayload(
        kMissingDigestPayload,
        absl::Cord(ToAbsl(text.substr(begin, end == std::string_view::npos ? end : end - begin))));
  }
  return status;
}

}  // namespace varve
